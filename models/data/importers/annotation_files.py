"""Annotations from HDF5 files and pickles, read as arrays and nothing else."""

import pickle
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dpa.models.errors import NeedsPackage

from .catalogue import BrokenAnnotations, RefusedPickle

# Arrays from HDF5 files, whichever way round their axes were written: MATLAB stores them reversed.


LARGEST: Final = 1e9
"""Millimetres, pixels, frame and camera numbers stay below it; damaged ones seldom do."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open h5py file. Raises NeedsPackage without h5py, BrokenAnnotations for a file it cannot read."""
    try:
        import h5py
    except ImportError as error:
        raise NeedsPackage("h5py") from error
    try:
        file = h5py.File(path, "r")
    except Exception as error:  # as in `has`
        raise BrokenAnnotations(path, str(error).splitlines()[0], "an HDF5 file") from error
    with file:
        yield file


def has(file: Any, path: Path, name: str) -> bool:
    """Whether there is a data set of this name. Raises BrokenAnnotations where the file cannot tell."""
    try:
        return name in file
    except Exception as error:  # HDF5 fails in many ways on damaged bytes
        raise BrokenAnnotations(path, f"{name!r}: {error}", "a whole HDF5 file") from error


def array(file: Any, path: Path, name: str) -> NDArray[Any]:
    """One data set of numbers as it lies there. Raises BrokenAnnotations if it is absent, cannot be read, or
    holds what is no number or no finite one."""
    if not has(file, path, name):
        raise BrokenAnnotations(path, f"no data set {name!r}", "one")
    try:
        values = np.asarray(file[name])
    except Exception as error:  # as above
        raise BrokenAnnotations(path, f"{name!r}: {error}", "a readable data set") from error
    if values.dtype.kind not in "biuf":
        raise BrokenAnnotations(path, f"{name!r} of type {values.dtype}", "numbers")
    if not (np.abs(values.astype(np.float64)) < LARGEST).all():
        raise BrokenAnnotations(
            path, f"{name!r} holds what is no finite number", f"numbers below {LARGEST:g}"
        )
    return values


def shaped(found: NDArray[Any], shape: Sequence[int], path: Path, name: str) -> NDArray[Any]:
    """The array with axes of these lengths, -1 for any; turned round if they lie in reverse.

    Where both ways fit, it is taken as it lies. Raises BrokenAnnotations.
    """
    for candidate in (found, found.transpose()):
        if len(candidate.shape) == len(shape) and all(
            length in (-1, given) for given, length in zip(candidate.shape, shape, strict=True)
        ):
            return candidate
    raise BrokenAnnotations(path, f"{name!r} of shape {list(found.shape)}", f"{list(shape)}, or reversed")


# Pickles of arrays and plain containers, read without running anything that they ask for: a pickle names
# functions to be called while it loads. The names under which NumPy writes arrays, types and scalars stand
# for records of what was asked, which are made into arrays here afterwards; any other name is refused before
# it is looked up. Not even NumPy's own functions are called: its dtype believes whatever state it is told.


class _Refused(pickle.UnpicklingError):
    """The pickle is understood, and not accepted."""


class _Asked:
    """What a pickle would have called: a name, its arguments once called, and the state set afterwards."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[object, ...] | None = None) -> None:
        self.name, self.arguments, self.state = name, arguments, ()

    def __call__(self, *arguments: object) -> "_Asked":
        return _Asked(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


_ALLOWED: Final = {("_codecs", "encode"), ("numpy", "dtype"), ("numpy", "ndarray")} | {
    (f"numpy.{core}.{name}", function)
    for core in ("core", "_core")
    for name, function in (
        ("multiarray", "_reconstruct"),
        ("multiarray", "scalar"),
        ("numeric", "_frombuffer"),
    )
}
"""`_codecs.encode` is how protocols 0 to 2 write bytes, `_frombuffer` how protocol 5 writes arrays."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _Refused(f"it asks for {module}.{name}")
        return _Asked(name)

    def persistent_load(self, pid: object) -> Any:
        raise _Refused("it refers to something outside itself")


def _answered(value: Any) -> Any:
    """The value, arrays and bytes in place of what was asked for."""
    if isinstance(value, dict):
        return {_answered(key): _answered(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(_answered(one) for one in value)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | bytearray):
        return value
    if not isinstance(value, _Asked):
        raise _Refused(f"it holds a {type(value).__name__}")
    match value.name, value.arguments, value.state:
        case "encode", (str() as text, "latin1"), ():
            found: Any = text.encode("latin1")
        case "_reconstruct", (_Asked(name="ndarray"), _, _), (_, tuple() as shape, kind, fortran, data):
            found = _array(data, kind, shape, "F" if fortran else "C")
        case "_frombuffer", (data, kind, tuple() as shape, "C" | "F" as order), ():
            found = _array(data, kind, shape, order)
        case "scalar", (kind, data), ():
            found = _array(data, kind, (1,), "C")[0]
        case _:
            raise _Refused(f"it asks {value.name} for what is no plain array")
    return found


def _array(data: Any, kind: Any, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
    raw = _answered(data)
    raw = raw.encode("latin1") if isinstance(raw, str) else raw  # text: written by Python 2
    if not isinstance(raw, bytes | bytearray):
        raise _Refused("it holds an array of objects")
    return np.frombuffer(raw, _dtype(kind)).reshape(shape, order=order).copy()


def _dtype(kind: Any) -> np.dtype[Any]:
    """A plain type; its state may set the byte order and nothing else."""
    match kind:
        case _Asked(name="dtype", arguments=(str() as code, *_), state=()):
            order: Any = "="
        case _Asked(
            name="dtype",
            arguments=(str() as code, *_),
            state=(_, ("<" | ">" | "=" | "|") as order, None, None, None, *_),
        ):
            pass
        case _:
            raise _Refused("it holds a structured array")
    try:
        dtype = np.dtype(code).newbyteorder("=" if order == "|" else order)
    except (TypeError, ValueError) as error:
        raise _Refused(f"it holds an array of type {code!r}") from error
    if dtype.kind not in "biufcSU":
        raise _Refused(f"it holds an array of type {code!r}")
    return dtype


def load_arrays(path: Path) -> Any:
    """What the pickle holds: arrays, numbers, strings and bytes in lists, tuples, dicts and sets.

    Raises RefusedPickle if it asks for anything else, BrokenAnnotations if it is cut off or no pickle.
    """
    try:
        with path.open("rb") as file:
            return _answered(_ArraysOnly(file, encoding="latin1").load())
    except _Refused as error:
        raise RefusedPickle(path, str(error)) from error
    except Exception as error:  # a damaged pickle fails in whatever opcode it hits
        raise BrokenAnnotations(path, f"{type(error).__name__}: {error}", "a whole pickle") from error


def load_object(path: Path, name: str) -> Any:
    """The one object that np.savez kept as an array of objects under this name, read as `load_arrays` does.

    Raises RefusedPickle if it asks for anything else, BrokenAnnotations if it is not there or cut off.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"an array of format {version}")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if shape != () or dtype.kind != "O":
                raise ValueError(f"an array {list(shape)} of {dtype}, not one object")
            match _ArraysOnly(file, encoding="latin1").load():
                case _Asked(name="_reconstruct", state=(_, (), _, _, [value])):
                    return _answered(value)
                case _:
                    raise _Refused("it holds no single object")
    except _Refused as error:
        raise RefusedPickle(path, str(error)) from error
    except Exception as error:  # as above
        raise BrokenAnnotations(path, f"{type(error).__name__}: {error}", f"an object {name!r}") from error
