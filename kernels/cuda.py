"""CUDA launch of composite_crop through cuda.core: torch's memory and torch's current stream, nothing copied.

The kernels are loaded in one of two ways: the image that nvcc made when the package was built, or the
packaged source compiled at run time (NVRTC). Both get the same options, and no cache of anybody's keeps what
NVRTC made, so that a changed source cannot run stale.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dpa.kernels.backends import packaged
from dpa.kernels.inputs import Inputs

log = logging.getLogger("dpa.kernels")
THREADS = 256  # a block; the reduction over boxes in the .cu file counts on a power of two, at most 256
MAX_BLOCKS = 1 << 16  # the kernels stride over what is left

Launch = Callable[[torch.device, Any, int, int, Sequence[np.generic]], None]
"""(device, kernel, blocks, threads of a block, arguments): queues it on torch's current stream there."""


def launch_on_torchs_stream(
    device: torch.device, kernel: Any, blocks: int, threads: int, arguments: Sequence[np.generic]
) -> None:
    """See Launch. kernel: a cuda.core.Kernel."""
    from cuda.core import LaunchConfig, launch

    with torch.cuda.device(device):
        stream = _Stream(torch.cuda.current_stream(device).cuda_stream)
        launch(stream, LaunchConfig(grid=blocks, block=threads), kernel, *arguments)


class CudaKernels:
    """The three kernels of one loaded module (cuda.core.ObjectCode)."""

    def __init__(self, module: Any, launch: Launch = launch_on_torchs_stream) -> None:
        self._forward = module.get_kernel("composite_crop_forward")
        self._crop = module.get_kernel("composite_crop_backward_crop")
        self._boxes = module.get_kernel("composite_crop_backward_boxes")
        self._launch = launch

    def forward(self, inputs: Inputs, out: Tensor) -> None:
        size = out.shape[-1]
        arguments = (*_arguments(inputs, size), _pointer(out))
        self._launch(out.device, self._forward, _blocks(out.shape[0], size * size), THREADS, arguments)

    def backward(self, inputs: Inputs, grad: Tensor, outputs: Sequence[Tensor | None]) -> None:
        rgb, mask, box_from, box_to = outputs
        given = (*_arguments(inputs, grad.shape[-1]), _pointer(grad))
        batch, _, s, _ = inputs.rgb.shape
        if rgb is not None or mask is not None:
            arguments = (*given, _pointer(rgb), _pointer(mask))
            self._launch(grad.device, self._crop, _blocks(batch, s * s), THREADS, arguments)
        if box_from is not None or box_to is not None:
            arguments = (*given, _pointer(box_from), _pointer(box_to))
            self._launch(grad.device, self._boxes, batch, THREADS, arguments)


class _Stream:
    """A stream of torch's as cuda.core takes foreign ones."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._handle


def _arguments(inputs: Inputs, size: int) -> list[np.generic]:
    """What all three kernels take first: six pointers, then batch, s, plates, height, width, size."""
    batch, _, s, _ = inputs.rgb.shape
    count, _, height, width = inputs.plates.shape
    return [*map(_pointer, inputs), *(np.int32(n) for n in (batch, s, count, height, width, size))]


def _pointer(tensor: Tensor | None) -> np.uint64:
    return np.uint64(0 if tensor is None else tensor.data_ptr())


def _blocks(batch: int, pixels: int) -> int:
    """A block holds pixels of one sample."""
    return min(batch * -(-pixels // THREADS), MAX_BLOCKS)


def from_image(device: torch.device) -> CudaKernels:
    """From the packaged image. Raises what the driver raises, FileNotFoundError where there is none."""
    from cuda.core import ObjectCode

    image = packaged("_cuda/composite_crop.fatbin")
    if image is None:
        raise FileNotFoundError("the package was built without nvcc and holds no image")
    with torch.cuda.device(device):
        return CudaKernels(ObjectCode.from_fatbin(image.read_bytes(), name="composite_crop"))


def from_source(device: torch.device) -> CudaKernels:
    """From the packaged source, compiled for this GPU. Raises what compiler and driver raise."""
    from cuda.core import Program, ProgramOptions

    source = packaged("composite_crop.cu")
    if source is None:
        raise FileNotFoundError("the package holds no composite_crop.cu")
    major, minor = torch.cuda.get_device_capability(device)
    options = ProgramOptions(std="c++17", arch=f"sm_{major}{minor}", include_path=str(source.parent))
    with torch.cuda.device(device):
        program = Program(source.read_text(encoding="utf-8"), "c++", options)
        return CudaKernels(program.compile("cubin"))


WAYS: Mapping[str, Callable[[torch.device], CudaKernels]] = MappingProxyType(
    {"packaged image": from_image, "compiled at run time": from_source}
)
"""How the kernels can be loaded, the first that works is taken."""


def load(device: torch.device) -> CudaKernels | None:
    """The kernels for a GPU, loaded once a model of GPU; None, with one log line, where no way works."""
    return _load(torch.cuda.get_device_capability(device), device.index or 0)


@cache
def _load(capability: tuple[int, int], index: int) -> CudaKernels | None:
    reasons = []
    for name, way in WAYS.items():
        try:
            return way(torch.device("cuda", index))
        except Exception as error:  # no cuda.core, and the driver's and the compiler's own types
            reasons.append(f"{name}: {type(error).__name__}: {error}")
    log.warning("dpa.kernels: no CUDA kernel loads, the slower PyTorch twin runs (%s)", "; ".join(reasons))
    return None
