"""TensorRT plans beside the ONNX files that they are built from, and who judges them where they cannot
run."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import onnx

from dpa.engine.sessions.engine_folder import open_engine
from dpa.engine.sessions.errors import ProviderUnavailable
from dpa.engine.sessions.manifest import PlanEntry, PlanIdentity
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import Session
from dpa.engine.sessions.tensorrt_plans import FLAGS, PlanCache, this_place
from dpa.engine.sessions.tensorrt_session import TensorRtSession
from dpa.export.variants import Variant
from dpa.models.atomic import write_bytes

BUCKETS = (1, 8, 32, 128, 256)
"""Batch sizes that a plan is built for by default; others are padded to the next."""

log = logging.getLogger(__name__)


def write_plan(path: Path, frame_size: tuple[int, int], buckets: Sequence[int]) -> PlanEntry:
    """Write the plan of an ONNX file beside it, built here or taken from the cache of plans.

    frame_size: (H, W), where the graph leaves them free: the only size that the plan takes. Raises what
    this_place and build_plan raise.
    """
    data = path.read_bytes()
    identity = PlanIdentity(
        onnx=hashlib.sha256(data).hexdigest(),
        place=this_place(),
        inputs=input_sizes(data, frame_size),
        buckets=tuple(sorted(set(buckets))),
        flags=FLAGS,
    )
    plan = path.with_suffix(".plan")
    write_bytes(plan, PlanCache().build(identity, data))
    return PlanEntry(file=plan.name, identity=identity)


def input_sizes(data: bytes, frame_size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Name → dimensions after the batch of every input of an ONNX file, free ones as frame_size says."""
    free = {2: frame_size[0], 3: frame_size[1]}
    sizes = {}
    for value in onnx.ModelProto.FromString(data).graph.input:
        dims = list(enumerate(value.type.tensor_type.shape.dim))[1:]
        sizes[value.name] = tuple(dim.dim_value or free[axis] for axis, dim in dims)
    return sizes


def session_to_judge(path: Path, variant: Variant, plan: PlanEntry | None) -> Session:
    """The session that parity is measured on: the engine's own; without a GPU, for a plan, ONNX Runtime
    over the very ONNX file that the plan was built from."""
    if plan is None:
        return open_engine(path.read_bytes(), variant.backend, variant.precision)
    try:
        return TensorRtSession((path.parent / plan.file).read_bytes(), plan.identity.buckets)
    except ProviderUnavailable as error:
        log.warning("%s was not run (%s): its ONNX file is judged by ONNX Runtime", plan.file, error.found)
        return OnnxRuntimeSession(path)
