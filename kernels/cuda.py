"""CUDA launch of composite_crop through CuPy: torch's memory and torch's current stream, nothing copied.

Not run on a GPU so far: this launch code is tested with its own CUDA source compiled for the CPU.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dpa.kernels.backends import packaged
from dpa.kernels.inputs import Inputs

log = logging.getLogger("dpa.kernels")
THREADS = 256  # a block; the reduction over boxes in the .cu file counts on a power of two, at most 256
MAX_BLOCKS = 1 << 16  # the kernels stride over what is left

OnStream = Callable[[torch.device], AbstractContextManager[None]]


class CudaKernels:
    """The three kernels of one loaded module (cupy.RawModule), launched inside `on_stream(device)`."""

    def __init__(self, module: Any, on_stream: OnStream) -> None:
        self._forward = module.get_function("composite_crop_forward")
        self._crop = module.get_function("composite_crop_backward_crop")
        self._boxes = module.get_function("composite_crop_backward_boxes")
        self._on_stream = on_stream

    def forward(self, inputs: Inputs, out: Tensor) -> None:
        size = out.shape[-1]
        blocks = _blocks(out.shape[0] * size * size)
        with self._on_stream(out.device):
            self._forward((blocks,), (THREADS,), (*_arguments(inputs, size), _pointer(out)))

    def backward(self, inputs: Inputs, grad: Tensor, outputs: Sequence[Tensor | None]) -> None:
        rgb, mask, box_from, box_to = outputs
        arguments = (*_arguments(inputs, grad.shape[-1]), _pointer(grad))
        batch, _, s, _ = inputs.rgb.shape
        with self._on_stream(grad.device):
            if rgb is not None or mask is not None:
                self._crop((_blocks(batch * s * s),), (THREADS,), (*arguments, _pointer(rgb), _pointer(mask)))
            if box_from is not None or box_to is not None:
                self._boxes((batch,), (THREADS,), (*arguments, _pointer(box_from), _pointer(box_to)))


def _arguments(inputs: Inputs, size: int) -> list[np.generic]:
    """What all three kernels take first: six pointers, then batch, s, plates, height, width, size."""
    batch, _, s, _ = inputs.rgb.shape
    count, _, height, width = inputs.plates.shape
    return [*map(_pointer, inputs), *(np.int32(n) for n in (batch, s, count, height, width, size))]


def _pointer(tensor: Tensor | None) -> np.uint64:
    return np.uint64(0 if tensor is None else tensor.data_ptr())


def _blocks(items: int) -> int:
    return min(-(-items // THREADS), MAX_BLOCKS)


@contextmanager
def _torch_stream(device: torch.device) -> Iterator[None]:
    import cupy

    stream = torch.cuda.current_stream(device)
    with cupy.cuda.Device(device.index), cupy.cuda.Stream.from_external(stream):
        yield


@lru_cache(maxsize=1)
def load() -> CudaKernels | None:
    """From the packaged image, else from the packaged source by NVRTC; else None, with one log line."""
    import cupy

    source, image = packaged("composite_crop.cu"), packaged("_cuda/composite_crop.fatbin")
    attempts: list[dict[str, Any]] = []
    if image is not None:
        attempts.append({"path": str(image)})
    if source is not None:
        options = ("-std=c++17", f"-I{source.parent}")
        attempts.append({"code": source.read_text(encoding="utf-8"), "options": options})
    reasons = []
    for attempt in attempts:
        try:
            return CudaKernels(cupy.RawModule(**attempt), _torch_stream)
        except Exception as error:  # the driver's and the compiler's own types
            reasons.append(f"{type(error).__name__}: {error}")
    log.warning("dpa.kernels: no CUDA kernel loads, the slower PyTorch twin runs (%s)", "; ".join(reasons))
    return None
