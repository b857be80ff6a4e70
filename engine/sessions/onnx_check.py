"""A look at an ONNX file in plain Python, before native code parses it: is it one well-formed
protobuf message of a model, with every weight inside? Field numbers are those of onnx.proto3."""

from dpa.engine.sessions.manifest_errors import ExternalData, MalformedOnnx
from dpa.engine.sessions.onnx_fields import fields
from dpa.engine.sessions.onnx_order import check_order

DEPTH_LIMIT = 64
GRAPH = 7
"""Field of a model."""

# Which fields of a message hold messages worth entering: {message: {field: message}}
CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a tensor: where its external data lies, and whether it has any (0 means inside)."""


def check_onnx(data: bytes, name: str) -> None:
    """Raise MalformedOnnx or ExternalData if the file `name` with these bytes must not be loaded."""
    view = memoryview(data)
    try:
        graphs = [value for field, value in fields(view) if field == GRAPH]
        if len(graphs) != 1:
            raise ValueError(f"{len(graphs)} graphs in it")
        external = _holds_external(view, "model", 0)
        if not external and isinstance(graphs[0], memoryview):
            check_order(graphs[0])
    except ValueError as error:
        raise MalformedOnnx(
            found=f"{name}: {error}", expected="one ONNX model", remedy="export the network again"
        ) from error
    if external:
        raise ExternalData(
            found=f"{name} reads weights from other files",
            expected="one file with every weight inside",
            remedy="save it with its weights inside, or export the network again",
        )


def _holds_external(view: memoryview, message: str, depth: int) -> bool:
    if depth > DEPTH_LIMIT:
        raise ValueError(f"graphs nested deeper than {DEPTH_LIMIT}")
    children = CHILDREN[message]
    for field, value in fields(view):
        if message == "tensor" and (field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0)):
            return True
        if field in children:
            if not isinstance(value, memoryview):
                raise ValueError(f"field {field} of a {message} is not a message")
            if _holds_external(value, children[field], depth + 1):
                return True
    return False
