"""Protobuf's wire format in plain Python: the fields of a message, and nothing of what they mean."""

from collections.abc import Iterator

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
