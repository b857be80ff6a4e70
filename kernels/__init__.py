"""dpa.kernels: the fused composite-and-crop operation on CPU and CUDA, and its PyTorch twin.

`composite_crop` (fused), `composite` and `crop` (PyTorch), `WHOLE_FRAME`, and `BACKENDS`, which says what
runs here. Names load on first use, so that importing the package stays free of torch.
"""

from typing import TYPE_CHECKING, Any

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.kernels (the folder 'kernels' is part of the package 'dpa')")

if TYPE_CHECKING:
    from dpa.kernels.backends import BACKENDS as BACKENDS
    from dpa.kernels.fused import composite_crop as composite_crop
    from dpa.kernels.reference import composite as composite
    from dpa.kernels.reference import crop as crop

WHOLE_FRAME: tuple[float, float, float, float] = (1.0, 1.0, 0.0, 0.0)
"""The box (sx, sy, tx, ty) whose crop is the frame itself, resampled."""

_HOME = {"composite_crop": "fused", "composite": "reference", "crop": "reference", "BACKENDS": "backends"}
__all__ = ["BACKENDS", "WHOLE_FRAME", "composite", "composite_crop", "crop"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
