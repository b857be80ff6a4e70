"""Pickles of arrays and plain containers, read without running anything that they ask for.

A pickle names functions to be called while it loads. The five names under which NumPy writes arrays, types
and scalars are answered with stand-ins of this file, so that not even NumPy's own are called; any other name
is refused before it is looked up.
"""

import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np

from .errors import BrokenAnnotations, RefusedPickle

_KINDS: Final = "biufcSU"


class _Refused(pickle.UnpicklingError):
    """The pickle is understood, and not accepted."""


class _DType:
    """A plain type under construction: its state may set the byte order, nothing else."""

    __slots__ = ("dtype",)

    def __init__(self, code: object) -> None:
        try:
            self.dtype = np.dtype(str(code))
        except TypeError as error:
            raise _Refused(f"it holds an array of type {code!r}") from error
        if self.dtype.kind not in _KINDS:
            raise _Refused(f"it holds an array of type {code!r}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, nested = state[1], state[2:5]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in nested):
            raise _Refused("it holds a structured array")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """An array under construction: its state holds everything."""

    __slots__ = ("value",)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        self.value = _filled(data, kind, shape, "F" if fortran else "C")


class _MakeDType:
    __slots__ = ()

    def __call__(self, code: object, align: object = False, copy: object = True) -> _DType:
        return _DType(code)


class _MakeArray:
    """For `_reconstruct`: whatever it is told, an empty array that waits for its state."""

    __slots__ = ()

    def __call__(self, kind: object, shape: object, code: object) -> _Array:
        if not isinstance(kind, _Plain):
            raise _Refused("it holds an array that is not a plain one")
        return _Array()


class _MakeScalar:
    __slots__ = ()

    def __call__(self, kind: object, data: object) -> Any:
        return _filled(data, kind, (1,), "C")[0]


class _FromBuffer:
    """For `_frombuffer`, which protocol 5 writes."""

    __slots__ = ()

    def __call__(self, data: object, kind: object, shape: Any, order: str, axes: object = None) -> _Array:
        if axes is not None or order not in ("C", "F"):
            raise _Refused("it holds an array in an order of its own")
        array = _Array()
        array.value = _filled(data, kind, shape, order)
        return array


class _Plain:
    """The name numpy.ndarray, as an argument."""

    __slots__ = ()


def _filled(data: object, kind: object, shape: tuple[int, ...], order: Any) -> np.ndarray[Any, Any]:
    if not isinstance(kind, _DType) or not isinstance(data, bytes | bytearray | str):
        raise _Refused("it holds an array of objects")
    raw = data.encode("latin1") if isinstance(data, str) else bytes(data)  # str: written by Python 2
    return np.frombuffer(raw, kind.dtype).reshape(shape, order=order).copy()


_STAND_INS: Final = {
    ("numpy", "dtype"): _MakeDType(),
    ("numpy", "ndarray"): _Plain(),
} | {
    (f"numpy.{core}.{module}", name): stand_in
    for core in ("core", "_core")
    for module, name, stand_in in (
        ("multiarray", "_reconstruct", _MakeArray()),
        ("multiarray", "scalar", _MakeScalar()),
        ("numeric", "_frombuffer", _FromBuffer()),
    )
}


class _LatinBytes:
    """How protocols 0 to 2 write bytes: as text, to be encoded by _codecs.encode."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object) -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise _Refused(f"it encodes text as {encoding!r}")
        return text.encode("latin1")


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _LatinBytes()
        if (module, name) not in _STAND_INS:
            raise _Refused(f"it asks for {module}.{name}")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: object) -> Any:
        raise _Refused("it refers to something outside itself")


def _plain(value: Any) -> Any:
    """The finished arrays in place of what they were made with."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(one) for one in value)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic | set):
        return value
    raise _Refused(f"it holds a {type(value).__name__}")


def load_arrays(path: Path) -> Any:
    """What the pickle holds: arrays, numbers, strings and bytes in lists, tuples, dicts and sets.

    Raises RefusedPickle if it asks for anything else, BrokenAnnotations if it is cut off or no pickle.
    """
    try:
        with path.open("rb") as file:
            return _plain(_ArraysOnly(file, encoding="latin1").load())
    except _Refused as error:
        raise RefusedPickle(path, str(error)) from error
    except Exception as error:  # a damaged pickle fails in whatever opcode it hits
        raise BrokenAnnotations(path, f"{type(error).__name__}: {error}", "a whole pickle") from error
