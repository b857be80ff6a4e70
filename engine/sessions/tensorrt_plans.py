"""TensorRT as a package that may be absent (`tensorrt`, or `tensorrt_rtx`, which also builds plans without a
GPU), the plans that it builds of ONNX files, and those that were built on this machine. A plan that is not on
record here is somebody else's native code. Networks are strongly typed: precision is a property of the ONNX
file. Nothing else in the house imports TensorRT."""

import hashlib
import logging
import platform
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from dpa.engine.cache import cache_folder
from dpa.engine.sessions.errors import MissingPackage, ProviderUnavailable, RefusedModel
from dpa.engine.sessions.manifest import PlanIdentity, PlanPlace, Sha256
from dpa.models.atomic import write_bytes, write_text
from dpa.models.errors import DpaError

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


FLAGS = ("no TF32",)
"""An fp32 engine computes in fp32 (the project's choice): TF32 rounds products to 10 bits."""


class PlanBuildFailed(DpaError):
    """TensorRT took the network and made no plan of it."""


def build_plan(
    onnx: bytes,
    inputs: Mapping[str, tuple[int, ...]],
    buckets: Sequence[int],
    timing_cache: Path | None = None,
) -> bytes:
    """The serialised plan of an ONNX network.

    inputs: name → dimensions after the batch; buckets: batch sizes, each with an optimisation profile of
    its own whose shapes are fixed, so that its kernels are chosen for exactly them; timing_cache: file
    that kernel timings are read from and added to (tensorrt only, tensorrt_rtx has none). Raises
    MissingPackage, RefusedModel with the parser's words, PlanBuildFailed.
    """
    trt = import_tensorrt()
    logger, errors = new_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(0)  # from TensorRT 11 on, always strongly typed
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        said = "; ".join(parser.get_error(number).desc() for number in range(parser.num_errors))
        raise RefusedModel(
            found=f"{trt.__name__} refuses the model: {said[:300]}",
            expected="a network that it can build a plan of",
            remedy="choose another precision or back-end",
        )
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    for bucket in buckets:
        profile = builder.create_optimization_profile()
        for number in range(network.num_inputs):
            name = network.get_input(number).name
            shape = (bucket, *inputs[name])
            profile.set_shape(name, shape, shape, shape)
        config.add_optimization_profile(profile)
    timings = _read_timings(trt, config, timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise PlanBuildFailed(f"{trt.__name__} made no plan: {'; '.join(errors)[:300] or 'no reason given'}")
    if timings is not None and timing_cache is not None:
        write_bytes(timing_cache, bytes(timings.serialize()))
    return bytes(plan)


def _read_timings(trt: Any, config: Any, path: Path | None) -> Any:
    """The timing cache set on `config`, from the file if there is one that this TensorRT takes."""
    if path is None or trt.__name__ != "tensorrt":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.parent.mkdir(parents=True, exist_ok=True)
        cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
        if not config.set_timing_cache(cache, ignore_mismatch=False):
            cache = config.create_timing_cache(b"")
            config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


class PlanRecord(BaseModel):
    """The sidecar of a plan: what it is valid for, and the SHA-256 of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    identity: PlanIdentity
    sha256: Sha256


class PlanCache:
    """KEY.plan and KEY.json in one folder ($DPA_CACHE/plans by default)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "plans"

    def record(self, identity: PlanIdentity) -> PlanRecord | None:
        """The record of a plan that was built here; None where there is none, or a damaged one."""
        try:
            text = (self.folder / f"{identity.key()}.json").read_bytes()
            found = PlanRecord.model_validate_json(text)
        except (OSError, ValidationError):
            return None
        return found if found.identity == identity else None

    def plan(self, identity: PlanIdentity) -> bytes | None:
        """The plan's bytes if they are here and are what was recorded."""
        record, path = self.record(identity), self.folder / f"{identity.key()}.plan"
        if record is None or not path.is_file():
            return None
        data = path.read_bytes()
        return data if hashlib.sha256(data).hexdigest() == record.sha256 else None

    def build(self, identity: PlanIdentity, onnx: bytes) -> bytes:
        """The plan, from the cache or built now and recorded. See build_plan for what it raises."""
        if (known := self.plan(identity)) is not None:
            return known
        data = build_plan(onnx, identity.inputs, identity.buckets, self.timings(identity.place))
        record = PlanRecord(identity=identity, sha256=hashlib.sha256(data).hexdigest())
        self.folder.mkdir(parents=True, exist_ok=True)
        # the record last: a plan without one is not trusted
        write_bytes(self.folder / f"{identity.key()}.plan", data)
        write_text(self.folder / f"{identity.key()}.json", record.model_dump_json(indent=1) + "\n")
        return data

    def timings(self, place: PlanPlace) -> Path:
        """The timing cache of one TensorRT version on one GPU."""
        words = f"{place.builder}-{place.version}-{place.gpu}"
        return self.folder / f"timings-{re.sub(r'[^A-Za-z0-9.]+', '-', words)}.bin"
