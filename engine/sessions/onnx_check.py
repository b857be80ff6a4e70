"""A look at an ONNX file in plain Python, before native code parses it: is it one well-formed
protobuf message of a model, with every weight inside? Field numbers are those of onnx.proto3."""

from collections.abc import Iterator

from dpa.engine.sessions.errors import ExternalData, MalformedOnnx

VARINT_LIMIT = 10
MAX_FIELD = (1 << 29) - 1


def fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
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


NODE, INITIALIZER, INPUT, SPARSE = 1, 5, 11, 15
"""Fields of a graph."""

NODE_INPUT, NODE_OUTPUT, NODE_ATTRIBUTE = 1, 2, 5
ATTRIBUTE_GRAPHS = (6, 11)
TENSOR_NAME, VALUE_NAME, SPARSE_VALUES = 8, 1, 1


def check_order(graph: memoryview, outer: frozenset[bytes] = frozenset()) -> None:
    """Raise ValueError if a node reads what no input, weight or earlier node gives, or if two give the
    same name. graph: the bytes of a GraphProto; outer: names that the graph around it has made."""
    own = set(_given(graph))
    made: set[bytes] = set()
    for _, node in _messages(graph, (NODE,)):
        for name in _strings(node, NODE_INPUT):
            if name and name not in own and name not in outer:
                raise ValueError(f"a node reads {name!r} before anything gives it")
        for _, attribute in _messages(node, (NODE_ATTRIBUTE,)):
            for _, inner in _messages(attribute, ATTRIBUTE_GRAPHS):
                check_order(inner, outer | own)
        for name in _strings(node, NODE_OUTPUT):
            if name in made:
                raise ValueError(f"two nodes give {name!r}")
            if name:
                made.add(name)
        own |= made


def _given(graph: memoryview) -> Iterator[bytes]:
    """The names of a graph's inputs and weights."""
    for field, value in fields(graph):
        if field in (INITIALIZER, INPUT):
            yield from _strings(value, TENSOR_NAME if field == INITIALIZER else VALUE_NAME)
        elif field == SPARSE:
            for _, values in _messages(value, (SPARSE_VALUES,)):
                yield from _strings(values, TENSOR_NAME)


def _strings(message: "int | memoryview", field: int) -> Iterator[bytes]:
    return (bytes(value) for _, value in _messages(message, (field,)))


def _messages(message: "int | memoryview", wanted: tuple[int, ...]) -> Iterator[tuple[int, memoryview]]:
    if not isinstance(message, memoryview):
        raise ValueError("a number where a message belongs")
    for field, value in fields(message):
        if field in wanted:
            if not isinstance(value, memoryview):
                raise ValueError("a number where a name or a message belongs")
            yield field, value


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
