"""Which file an engine of a back-end and precision is, and how it is made from a graph."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dpa.engine.sessions.manifest import Backend, Precision
from dpa.export.graphs import Graph, build_graph
from dpa.export.onnx_export import export_onnx
from dpa.export.quantise import quantise
from dpa.export.reduced import ReducedNetwork
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork

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


def choose_variants(backends: list[str], precisions: list[str]) -> list[Variant]:
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
