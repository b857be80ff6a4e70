"""TensorRT plans beside the ONNX files that they are built from, and who judges them where they cannot
run."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from dpa.engine.sessions.errors import ProviderUnavailable
from dpa.engine.sessions.manifest import PlanEntry
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.open_engine import open_engine
from dpa.engine.sessions.plan_cache import PlanCache
from dpa.engine.sessions.plan_identity import PlanIdentity
from dpa.engine.sessions.protocol import Session
from dpa.engine.sessions.tensorrt_api import this_place
from dpa.engine.sessions.tensorrt_build import FLAGS
from dpa.engine.sessions.tensorrt_session import TensorRtSession
from dpa.export.graphs import Graph
from dpa.export.probes import probes
from dpa.export.variants import Variant
from dpa.models.atomic import write_bytes
from dpa.models.frameworks.base import DisentangledNetwork

BUCKETS = (1, 8, 32, 128, 256)
"""Batch sizes that a plan is built for by default; others are padded to the next."""

log = logging.getLogger(__name__)


def write_plan(
    network: DisentangledNetwork, graph: Graph, onnx: Path, frames: Tensor, buckets: Sequence[int]
) -> PlanEntry:
    """Write the plan of an ONNX file beside it, built here or taken from the cache of plans.

    frames: [N, 3, H, W]; H and W become the only frame size of a `pose` plan. Raises what this_place and
    build_plan raise.
    """
    data = onnx.read_bytes()
    feeds = next(iter(probes(network, graph.name, frames[:1]))).feeds
    identity = PlanIdentity(
        onnx=hashlib.sha256(data).hexdigest(),
        place=this_place(),
        inputs={spec.name: tuple(feeds[spec.name].shape[1:]) for spec in graph.inputs},
        buckets=tuple(sorted(set(buckets))),
        flags=FLAGS,
    )
    path = onnx.with_suffix(".plan")
    write_bytes(path, PlanCache().build(identity, data))
    return PlanEntry(file=path.name, identity=identity)


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
