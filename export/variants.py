"""Which file an engine of a back-end and precision is, and how it is made from a graph."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dpa.engine.sessions.manifest import Backend, Precision
from dpa.export.graphs import Graph
from dpa.export.onnx_export import export_onnx
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork

BACKENDS: dict[str, Backend] = {"onnx": "onnxruntime", "openvino": "openvino", "tensorrt": "tensorrt"}
"""A back-end's name on the command line → its session's name."""

Writer = Callable[[DisentangledNetwork, Graph, Path, Tensor], Path]
"""(network, graph, folder, calibration frames) → the file written, named GRAPH.KIND.onnx."""


class UnsupportedVariant(InputError):
    """A precision that no chosen back-end offers, or a name that is not known."""


@dataclass(frozen=True)
class Variant:
    """One engine to be built, before any graph is named."""

    backend: Backend
    precision: Precision
    write: Writer


def write_fp32(network: DisentangledNetwork, graph: Graph, folder: Path, frames: Tensor) -> Path:
    """The graph as it is; shared by every back-end that takes fp32 ONNX."""
    path = folder / f"{graph.name}.fp32.onnx"
    return path if path.exists() else export_onnx(graph, path)


WRITERS: dict[tuple[Backend, Precision], Writer] = {("onnxruntime", "fp32"): write_fp32}


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
