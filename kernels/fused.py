"""composite_crop: compose the decoded person over its background plate and crop the result, in one operation.

Equal to composing at full resolution and cropping bilinearly (dpa.kernels.reference), without ever holding a
full-resolution frame. This file checks and dispatches; the arithmetic is in composite_crop.h.
"""

import torch
from torch import Tensor

from dpa.kernels import reference
from dpa.kernels.backends import CUDA, EXTENSION
from dpa.kernels.cuda import load
from dpa.kernels.errors import DeviceMismatch, DtypeMismatch, ShapeMismatch
from dpa.kernels.operators import check_plate_index, composite_crop_op, plates_gradient

_HALVES = (torch.float16, torch.bfloat16)


def composite_crop(
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    size: int,
    *,
    backend: str = "auto",
) -> Tensor:
    """crop(composite(rgb, mask, box_from, plates, plate_index), box_to, size) → [B, 3, size, size].

    rgb: [B, 3, s, s]; mask: [B, 1, s, s] in [0, 1]; box_from, box_to: [B, 4] = (sx, sy, tx, ty), where the
    person was cropped from and what to crop now ((1, 1, 0, 0): the whole frame); plates: [P, 3, H, W];
    plate_index: [B] int64 in [0, P); size ≥ 1 in pixels. Any strides; rows are copied where not contiguous.

    rgb may be float32, float16 or bfloat16 (mask: the same or float32) with everything else float32: the
    arithmetic is float32 and the result has rgb's dtype. All float64: the PyTorch twin.
    Differentiable once in rgb, mask, box_from and box_to; a gradient to the plates raises.
    backend: "auto"; "kernel" raises where no kernel runs; "twin" is PyTorch throughout (what a graph
    exporter can trace, differentiable twice).

    Errors: ShapeMismatch, DtypeMismatch, DeviceMismatch, PlateIndexError (CPU; on CUDA such a sample is
    NaN), UnsupportedGradient.
    """
    _check(rgb, mask, box_from, plates, plate_index, box_to, size)
    if plates.requires_grad and torch.is_grad_enabled():
        raise plates_gradient()
    dtype = rgb.dtype
    if dtype in _HALVES:
        rgb = rgb.float()
    mask = mask.to(rgb.dtype)
    if _has_kernel(rgb, backend):
        out: Tensor = composite_crop_op(rgb, mask, box_from, plates, plate_index, box_to, size)
    else:
        if rgb.device.type == "cpu" and not torch.compiler.is_compiling():
            check_plate_index(plate_index, plates.shape[0])
        out = reference.composite_crop(rgb, mask, box_from, plates, plate_index, box_to, size)
    return out.to(dtype)


def _has_kernel(rgb: Tensor, backend: str) -> bool:
    if backend not in ("auto", "kernel", "twin"):
        raise ValueError(f"backend {backend!r}: one of auto, kernel, twin")
    device = rgb.device.type
    found = rgb.dtype == torch.float32 and (
        (device == "cpu" and EXTENSION is not None)
        or (device == "cuda" and CUDA and backend != "twin" and load(rgb.device) is not None)
    )
    if backend == "kernel" and not found:
        raise DeviceMismatch(
            f"no kernel for {rgb.dtype} on {device}",
            "float32 or halves, on a CPU with the compiled extension or on a GPU with cuda.core",
            "install the package with its extension (extra 'gpu' for CUDA), or leave backend='auto'",
        )
    return found and backend != "twin"


def _check(
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    size: int,
) -> None:
    if rgb.dtype not in (torch.float32, torch.float64, *_HALVES):
        raise _dtype("rgb", rgb.dtype, "float32, float16, bfloat16 or float64")
    batch, s = (rgb.shape[0], rgb.shape[-1]) if rgb.dim() == 4 else (None, None)
    floating = torch.float64 if rgb.dtype == torch.float64 else torch.float32
    _fits("rgb", rgb, (batch, 3, s, s), rgb)
    _fits("mask", mask, (batch, 1, s, s), rgb)
    _fits("box_from", box_from, (batch, 4), rgb)
    _fits("plates", plates, (None, 3, None, None), rgb)
    _fits("plate_index", plate_index, (batch,), rgb)
    _fits("box_to", box_to, (batch, 4), rgb)
    for name, tensor in (("box_from", box_from), ("plates", plates), ("box_to", box_to)):
        if tensor.dtype != floating:
            raise _dtype(name, tensor.dtype, f"{floating} beside {rgb.dtype} colours")
    if mask.dtype not in (floating, rgb.dtype):
        raise _dtype("mask", mask.dtype, f"{floating} or rgb's own {rgb.dtype}")
    if plate_index.dtype != torch.int64:
        raise _dtype("plate_index", plate_index.dtype, "int64")
    if size < 1 or s == 0 or plates.numel() == 0:
        raise ShapeMismatch(
            f"size {size}, rgb {list(rgb.shape)}, plates {list(plates.shape)}",
            "at least one pixel each and at least one plate",
            "check what was loaded",
        )


def _fits(name: str, tensor: Tensor, shape: tuple[int | None, ...], rgb: Tensor) -> None:
    same = tensor.dim() == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, tensor.shape, strict=True)
    )
    if not same:
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ShapeMismatch(
            f"{name} has shape {list(tensor.shape)}",
            f"[{expected}] beside rgb {list(rgb.shape)}",
            "see the shapes in composite_crop's docstring",
        )
    if tensor.device != rgb.device:
        raise DeviceMismatch(
            f"{name} is on {tensor.device}, rgb on {rgb.device}", "one device", f"move {name} there"
        )


def _dtype(name: str, found: torch.dtype, expected: str) -> DtypeMismatch:
    return DtypeMismatch(f"{name} is {found}", expected, f"convert {name}; coordinates are never halves")
