"""Arrays from HDF5 files, whichever way round their axes were written: MATLAB stores them reversed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import BrokenAnnotations, NeedsPackage

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
