"""composite_crop as PyTorch operators: autograd and torch.compile see one node with known shapes.

`dpa::composite_crop` and `dpa::composite_crop_backward` take float32 tensors on the CPU or on CUDA; checks of
shape and dtype are the public function's business (dpa.kernels.fused).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dpa.kernels.backends import EXTENSION
from dpa.kernels.cpu import CpuKernels
from dpa.kernels.cuda import load
from dpa.kernels.errors import DeviceMismatch, PlateIndexError, UnsupportedGradient
from dpa.kernels.inputs import Inputs, Kernels

_CPU: Kernels | None = None if EXTENSION is None else CpuKernels(EXTENSION)


def _kernels(device: torch.device) -> Kernels:
    """The twin is no answer here: below autograd, where an operator runs, nothing can be differentiated, so
    whoever calls the operator has chosen between the two. Raises DeviceMismatch."""
    kernels = _CPU if device.type == "cpu" else load(device)
    if kernels is None:
        raise DeviceMismatch(
            f"no kernel on {device}",
            "the compiled extension on a CPU, CUDA kernels that load on a GPU",
            "call dpa.kernels.composite_crop, which takes the PyTorch twin there",
        )
    return kernels


def _inputs(*tensors: Tensor) -> Inputs:
    return Inputs(*(tensor.detach().contiguous() for tensor in tensors))


def check_plate_index(plate_index: Tensor, count: int) -> None:
    """Raises PlateIndexError. Reads the values, so it is for CPU tensors only."""
    if plate_index.numel() == 0:
        return
    low, high = (int(bound) for bound in torch.aminmax(plate_index))
    if low < 0 or high >= count:
        raise PlateIndexError(
            f"plate_index runs from {low} to {high}",
            f"indices in [0, {count}): there are {count} plates",
            "pass the plates of the store that the samples come from",
        )


@torch.library.custom_op("dpa::composite_crop", mutates_args=(), device_types=("cpu", "cuda"))
def composite_crop_op(
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    size: int,
) -> Tensor:
    """[B, 3, size, size] float32; arguments as in dpa.kernels.fused.composite_crop."""
    if rgb.device.type == "cpu":
        check_plate_index(plate_index, plates.shape[0])
    out = rgb.new_empty(rgb.shape[0], 3, size, size)
    if rgb.shape[0] > 0:
        inputs = _inputs(rgb, mask, box_from, plates, plate_index, box_to)
        _kernels(rgb.device).forward(inputs, out)
    return out


@composite_crop_op.register_fake
def _forward_fake(
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    size: int,
) -> Tensor:
    return rgb.new_empty(rgb.shape[0], 3, size, size)


@torch.library.custom_op("dpa::composite_crop_backward", mutates_args=(), device_types=("cpu", "cuda"))
def composite_crop_backward_op(
    grad: Tensor,
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of rgb, mask, box_from and box_to; of no elements where `wanted` says no."""
    gradients = _room(rgb, mask, box_from, wanted)
    if rgb.shape[0] > 0:
        inputs = _inputs(rgb, mask, box_from, plates, plate_index, box_to)
        outputs = [g if want else None for g, want in zip(gradients, wanted, strict=True)]
        _kernels(rgb.device).backward(inputs, grad.detach().contiguous(), outputs)
    return gradients


@composite_crop_backward_op.register_fake
def _backward_fake(
    grad: Tensor,
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _room(rgb, mask, box_from, wanted)


def _room(
    rgb: Tensor, mask: Tensor, box: Tensor, wanted: Sequence[bool]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    like = zip((rgb, mask, box, box), wanted, strict=True)
    a, b, c, d = (t.new_empty(t.shape if want else (0,)) for t, want in like)
    return a, b, c, d


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:6])


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    need_rgb, need_mask, need_from, need_plates, _, need_to, _ = ctx.needs_input_grad
    if need_plates:
        raise plates_gradient()
    wanted = [need_rgb, need_mask, need_from, need_to]
    gradients = composite_crop_backward_op(grad, *ctx.saved_tensors, wanted)
    rgb, mask, box_from, box_to = (g if want else None for g, want in zip(gradients, wanted, strict=True))
    return rgb, mask, box_from, None, None, box_to, None


def plates_gradient() -> UnsupportedGradient:
    """The one gradient that is not computed: it is an error, never a zero."""
    return UnsupportedGradient(
        "the plates require a gradient",
        "plates without one: composite_crop differentiates rgb, mask and the two boxes",
        "detach the plates, or use dpa.kernels.reference.composite_crop",
    )


composite_crop_op.register_autograd(_backward, setup_context=_setup_context)
