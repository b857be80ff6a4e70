"""Which file an engine of a back-end and precision is, how it is made from a graph, and the TensorRT plan
beside it."""

import copy
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from dpa.engine.sessions.engine_folder import open_engine
from dpa.engine.sessions.errors import ProviderUnavailable
from dpa.engine.sessions.manifest import Backend, PlanEntry, PlanIdentity, Precision
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import Session
from dpa.engine.sessions.tensorrt_plans import FLAGS, PlanCache, this_place
from dpa.engine.sessions.tensorrt_session import TensorRtSession
from dpa.export.graphs import Graph, build_graph
from dpa.export.onnx_export import export_onnx
from dpa.export.quantise import quantise
from dpa.models.atomic import write_bytes
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork


class ReducedNetwork(DisentangledNetwork):
    """A copy of a network whose encoder and decoder compute in `dtype`.

    Inputs and outputs stay fp32. So does sampling (ONNX Runtime's CUDA GridSample takes nothing else);
    so does the localiser, as an error of the box moves the whole crop (measured on a small NSD: fp16
    there cost 0.5 mm of pose, in the encoder 0.1 mm); so does φ, whose outputs of up to a metre would
    be rounded to half a millimetre and more.
    """

    def __init__(self, network: DisentangledNetwork, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.config, self.framework, self.source = network.config, network.framework, network.source
        self.dtype = dtype
        self.localiser, self.regressor = network.localiser, network.regressor
        self.encoder = copy.deepcopy(network.encoder).to(dtype)
        self.decoder = copy.deepcopy(network.decoder).to(dtype)

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        h_a, h_p = super().encode(crops.to(self.dtype))
        return h_a.float(), h_p.float()

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        rgb, mask = super().decode(h_a.to(self.dtype), h_p.to(self.dtype))
        return rgb.float(), mask.float()


BACKENDS: dict[str, Backend] = {"onnx": "onnxruntime", "openvino": "openvino", "tensorrt": "tensorrt"}
"""A back-end's name on the command line → its session's name."""

Writer = Callable[[DisentangledNetwork, Graph, Path, Tensor], Path]
"""(network, graph, folder, calibration frames) → the file written, named GRAPH.KIND.onnx."""


FP32_ONLY = frozenset({"regress", "step"})
"""Graphs that exist in fp32 alone."""

WRONG = frozenset({("step", "openvino")})
"""Graph and back-end that are known to be wrong together: OpenVINO's gradient had a cosine of -0.17."""


class UnsupportedVariant(InputError):
    """A precision that no chosen back-end offers, or a name that is not known."""


@dataclass(frozen=True)
class Variant:
    """One engine to be built, before any graph is named."""

    backend: Backend
    precision: Precision
    write: Writer

    def takes(self, graph: str) -> bool:
        """Whether there is such an engine: φ alone has no convolution and stays fp32 (ReducedNetwork), and
        so does the attack's step."""
        known_wrong = (graph, self.backend) in WRONG
        return not known_wrong and (self.precision == "fp32" or graph not in FP32_ONLY)


def write_fp32(network: DisentangledNetwork, graph: Graph, folder: Path, frames: Tensor) -> Path:
    """The graph as it is; shared by every back-end that takes fp32 ONNX."""
    path = folder / f"{graph.name}.fp32.onnx"
    return path if path.exists() else export_onnx(graph, path)


def write_fp16(network: DisentangledNetwork, graph: Graph, folder: Path, frames: Tensor) -> Path:
    """Convolutions in fp16, sampling and φ in fp32: for GPUs; a CPU computes it in fp32."""
    path = folder / f"{graph.name}.fp16.onnx"
    if path.exists():
        return path
    return export_onnx(build_graph(ReducedNetwork(network, torch.float16), graph.name), path)


def write_int8(network: DisentangledNetwork, graph: Graph, folder: Path, frames: Tensor) -> Path:
    """Convolutions quantised U8S8, calibrated on `frames`; shared by ONNX Runtime and OpenVINO."""
    path = folder / f"{graph.name}.int8.onnx"
    if path.exists():
        return path
    return quantise(network, graph, write_fp32(network, graph, folder, frames), path, frames)


def write_s8s8(network: DisentangledNetwork, graph: Graph, folder: Path, frames: Tensor) -> Path:
    """Convolutions quantised S8S8, symmetric, without quantised biases: for TensorRT."""
    path = folder / f"{graph.name}.s8s8.onnx"
    return quantise(network, graph, write_fp32(network, graph, folder, frames), path, frames, "S8S8")


WRITERS: dict[tuple[Backend, Precision], Writer] = {
    ("onnxruntime", "fp32"): write_fp32,
    ("onnxruntime", "fp16"): write_fp16,
    ("onnxruntime", "int8"): write_int8,
    ("openvino", "fp32"): write_fp32,
    ("openvino", "bf16"): write_fp32,  # the session computes in bf16, the file is the same
    ("openvino", "int8"): write_int8,
    ("tensorrt", "fp32"): write_fp32,
    ("tensorrt", "fp16"): write_fp16,
    ("tensorrt", "int8"): write_s8s8,
}


def choose_variants(backends: Sequence[str], precisions: Sequence[str]) -> list[Variant]:
    """Every supported pair of a back-end (command-line name) and a precision.

    Raises UnsupportedVariant for an unknown name, and for a precision or a back-end that would end up
    without any engine.
    """
    for name in backends:
        if name not in BACKENDS:
            raise _unsupported(f"back-end {name!r}", f"one of {', '.join(BACKENDS)}")
    names = [BACKENDS[name] for name in backends]
    chosen = [
        Variant(backend, precision, write)
        for (backend, precision), write in WRITERS.items()
        if backend in names and precision in precisions
    ]
    offered = ", ".join(f"{backend}/{precision}" for backend, precision in WRITERS)
    for precision in precisions:
        if precision not in {variant.precision for variant in chosen}:
            raise _unsupported(f"precision {precision!r} on {', '.join(names)}", f"one of {offered}")
    for backend in names:
        if backend not in {variant.backend for variant in chosen}:
            raise _unsupported(f"back-end {backend!r} in {', '.join(precisions)}", f"one of {offered}")
    return chosen


def _unsupported(found: str, expected: str) -> UnsupportedVariant:
    return UnsupportedVariant(found, expected, "choose from these with --backend and --precision")


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
