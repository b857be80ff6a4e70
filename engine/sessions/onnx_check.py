"""A look at an ONNX file in plain Python, before native code parses it: is it one well-formed
protobuf message of a model, with every weight inside? Field numbers are those of onnx.proto3."""

from collections.abc import Iterator

from dpa.engine.sessions.manifest_errors import ExternalData, MalformedOnnx

DEPTH_LIMIT = 64
VARINT_LIMIT = 10
MAX_FIELD = (1 << 29) - 1

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
        has_graph = any(field == 7 for field, _ in _fields(view))
        if not has_graph:
            raise ValueError("no graph in it")
        external = _holds_external(view, "model", 0)
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
    for field, value in _fields(view):
        if message == "tensor" and (field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0)):
            return True
        if field in children:
            if not isinstance(value, memoryview):
                raise ValueError(f"field {field} of a {message} is not a message")
            if _holds_external(value, children[field], depth + 1):
                return True
    return False


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of one message: a number, or the bytes of a string, message or array."""
    position, end = 0, len(view)
    while position < end:
        key, position = _varint(view, position)
        field, wire = key >> 3, key & 7
        if not 0 < field <= MAX_FIELD:
            raise ValueError(f"field number {field}")
        if wire == 0:
            number, position = _varint(view, position)
            yield field, number
            continue
        if wire == 2:
            length, position = _varint(view, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if length > end - position:
            raise ValueError("it ends in the middle of a field")
        yield field, view[position : position + length]
        position += length


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    """The number that starts at `position`, and where it ends."""
    value = 0
    for index in range(VARINT_LIMIT):
        if position + index >= len(view):
            raise ValueError("it ends in the middle of a number")
        byte = view[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ValueError("a number of more than ten bytes")
