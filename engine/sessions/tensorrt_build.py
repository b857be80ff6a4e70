"""ONNX bytes to a TensorRT plan. Networks are strongly typed: precision is a property of the ONNX file,
and the builder has no say in it."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dpa.engine.sessions.errors import RefusedModel
from dpa.engine.sessions.tensorrt_api import import_tensorrt, new_logger
from dpa.models.atomic import write_bytes
from dpa.models.errors import DpaError

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
