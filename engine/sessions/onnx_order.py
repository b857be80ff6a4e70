"""Do the nodes of an ONNX graph stand in an order in which they can run? The format asks for it; a graph
that reads its own output sends OpenVINO's reader round for ever."""

from collections.abc import Iterator

from dpa.engine.sessions.onnx_fields import fields

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
