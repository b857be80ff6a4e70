"""Which implementations of composite_crop exist in this environment, found without starting any of them."""

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, ModuleType

import torch

log = logging.getLogger("dpa.kernels")


def _extension() -> ModuleType | None:
    try:
        from dpa.kernels import _cpu
    except ImportError as error:
        log.warning("dpa.kernels: no compiled CPU extension, the slower PyTorch twin runs (%s)", error)
        return None
    return _cpu


def packaged(name: str) -> Path | None:
    """A file of the package, wherever the install keeps it. name: relative, as in `_cuda/x.fatbin`."""
    import dpa.kernels

    found = (Path(folder, name) for folder in dpa.kernels.__path__)
    return next((path for path in found if path.is_file()), None)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _cuda_available() -> bool:
    if not torch.cuda.is_available():
        return False
    if not _installed("cuda.core"):
        log.warning("dpa.kernels: a GPU but no cuda.core (extra 'gpu'), the slower PyTorch twin runs")
        return False
    return True


EXTENSION = _extension()
CUDA = _cuda_available()


def _describe() -> dict[str, str]:
    image = packaged("_cuda/composite_crop.fatbin")
    source = "packaged image" if image else "compiled at run time (NVRTC)"
    cpu = "not compiled"
    if EXTENSION is not None:
        cpu = "compiled, OpenMP" if EXTENSION.openmp else "compiled, one thread"
    cuda = source if CUDA else f"not available here ({source})"
    return {"cpu": cpu, "cuda": cuda, "twin": "PyTorch, every device and dtype"}


BACKENDS: Mapping[str, str] = MappingProxyType(_describe())
"""Name of each back-end → its state here, in words (for `doctor`)."""
