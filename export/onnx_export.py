"""A graph as one ONNX file: opset 18, free batch (and frame size), weights inside, written atomically."""

import io
import logging
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from dpa.engine.sessions.protocol import TORCH_DTYPES
from dpa.models.atomic import write_bytes
from dpa.models.errors import DpaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dpa.export.graphs import Graph

OPSET = 18
EXAMPLE = {0: 3, 2: 88, 3: 104}
"""Sizes that the exporter traces with. A batch of 1 would become a constant, and equal sizes might be
taken for the same one."""
FREE = {
    0: torch.export.Dim("batch", min=1, max=1 << 16),
    2: torch.export.Dim("height", min=2, max=1 << 14),
    3: torch.export.Dim("width", min=2, max=1 << 14),
}
"""The dimensions that may be free, by axis, and the sizes that they may take."""


class ExportFailed(DpaError):
    """torch.export or its ONNX translation refused a graph."""


def export_onnx(graph: "Graph", path: Path) -> Path:
    """Write `graph` to `path` and return it.

    The first dimension of every input is the same free batch. Raises ExportFailed with the
    exporter's own words when the module cannot be exported.
    """
    write_bytes(path, onnx_bytes(graph))
    return path


def onnx_bytes(graph: "Graph") -> bytes:
    """The serialised ONNX model of a graph."""
    device = next((p.device for p in graph.module.parameters()), torch.device("cpu"))
    examples, free = [], []
    for spec in graph.inputs:
        shape = [EXAMPLE[axis] if size is None else size for axis, size in enumerate(spec.shape)]
        examples.append(torch.rand(shape, device=device).to(TORCH_DTYPES[spec.dtype]))
        free.append({axis: FREE[axis] for axis, size in enumerate(spec.shape) if size is None})
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                _trace(graph, tuple(examples), tuple(free)),
                dynamo=True,
                opset_version=OPSET,
                input_names=[spec.name for spec in graph.inputs],
                output_names=[spec.name for spec in graph.outputs],
                verbose=False,
            )
    except Exception as error:
        raise ExportFailed(f"the graph {graph.name!r} could not be exported: {error}") from error
    assert program is not None  # torch.onnx.export returns a program whenever dynamo=True
    proto: Any = program.model_proto
    _check_signature(graph, proto)
    forget_origin(proto)
    serialised: bytes = proto.SerializeToString()
    return serialised


def _trace(graph: "Graph", examples: tuple[Tensor, ...], free: tuple[dict[int, Any], ...]) -> ExportedProgram:
    """Strict tracing first: only it keeps the batch free through `len(tensor)`. The other mode takes
    modules that strict tracing does not understand."""
    module = graph.exported or graph.module
    try:
        return torch.export.export(module, examples, dynamic_shapes=free, strict=True)
    except Exception:
        return torch.export.export(module, examples, dynamic_shapes=free, strict=False)


def _check_signature(graph: "Graph", proto: Any) -> None:
    """Names and free dimensions of the ONNX file against the graph's.

    Tracing may silently replace a free batch by the example's (3): such a file runs, at batch 3 only.
    """
    for specs, values in ((graph.inputs, proto.graph.input), (graph.outputs, proto.graph.output)):
        for spec, value in zip(specs, values, strict=True):
            dims = value.type.tensor_type.shape.dim
            shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
            if value.name != spec.name or shape != spec.shape:
                raise ExportFailed(
                    f"the graph {graph.name!r} was exported with {value.name} {list(shape)} in place of "
                    f"{spec}: a dimension was lost in tracing; avoid len(tensor) and int(tensor.shape[0])"
                )


def forget_origin(proto: Any) -> None:
    """Drop the stack traces that the exporter leaves on every node: they name this machine's folders,
    and the same network must give the same bytes anywhere."""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info, *proto.graph.initializer):
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]


@contextmanager
def quiet() -> "Iterator[None]":
    """The exporter prints progress to stdout and warns about its own internals; results own stdout."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
