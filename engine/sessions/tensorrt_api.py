"""TensorRT as a package that may be absent: `tensorrt`, or `tensorrt_rtx`, which has nearly the same
interface and also builds plans on a machine without a GPU. Nothing else in the house imports them."""

import logging
import platform
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from dpa.engine.sessions.errors import MissingPackage, ProviderUnavailable
from dpa.engine.sessions.plan_identity import PlanPlace

MODULES = ("tensorrt", "tensorrt_rtx")
"""In the order in which they are preferred."""

PORTABLE = "any"
"""The GPU of a plan of tensorrt_rtx, which finishes compiling on the machine that runs it."""

log = logging.getLogger(__name__)


def import_tensorrt() -> Any:
    """The module. Raises MissingPackage."""
    name = next((name for name in MODULES if find_spec(name) is not None), None)
    if name is None:
        raise MissingPackage("tensorrt", "trt")
    return import_module(name)


def this_place() -> PlanPlace:
    """Where a plan built now would be valid. Raises MissingPackage; ProviderUnavailable for `tensorrt`
    without a GPU, whose plans are made for one GPU model."""
    trt = import_tensorrt()
    gpu = PORTABLE
    if trt.__name__ == "tensorrt":
        require_gpu("cuda")
        major, minor = torch.cuda.get_device_capability()
        gpu = f"{torch.cuda.get_device_name()}, compute capability {major}.{minor}"
    system = f"{platform.system().lower()}-{platform.machine()}"
    return PlanPlace(builder=trt.__name__, version=trt.__version__, gpu=gpu, platform=system)


def require_gpu(device: str) -> torch.device:
    """The device 'cuda' or 'cuda:N'. Raises ProviderUnavailable for any other, and where there is none."""
    kind, _, index = device.partition(":")
    if kind != "cuda" or (index and not index.isdigit()):
        raise ProviderUnavailable(
            found=f"device {device!r}", expected="cuda or cuda:N", remedy="run TensorRT plans on a GPU"
        )
    ordinal = int(index or 0)
    if not torch.cuda.is_available() or ordinal >= torch.cuda.device_count():
        raise ProviderUnavailable(
            found=f"{device}: torch sees {torch.cuda.device_count()} GPUs",
            expected="an NVIDIA GPU with its driver, and a CUDA build of torch",
            remedy="use the engines of another back-end here",
        )
    return torch.device("cuda", ordinal)


def new_logger(trt: Any) -> tuple[Any, list[str]]:
    """A TensorRT logger, and the list that its errors go to; warnings go to this module's log."""
    errors: list[str] = []

    class Forwarding(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                errors.append(message)
            elif severity == trt.ILogger.Severity.WARNING:
                log.info("TensorRT: %s", message)

    return Forwarding(), errors
