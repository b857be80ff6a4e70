"""Arrays from HDF5 files, whichever way round their axes were written: MATLAB stores them reversed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BrokenAnnotations, NeedsPackage


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open h5py file. Raises NeedsPackage without h5py, BrokenAnnotations for a file it cannot read."""
    try:
        import h5py
    except ImportError as error:
        raise NeedsPackage("h5py") from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise BrokenAnnotations(path, str(error).splitlines()[0], "an HDF5 file") from error
    with file:
        yield file


def array(file: Any, path: Path, name: str) -> NDArray[Any]:
    """One data set as it lies there. Raises BrokenAnnotations if it is absent."""
    if name not in file or not hasattr(file[name], "shape"):
        raise BrokenAnnotations(path, f"no data set {name!r}", f"one, beside {', '.join(sorted(file)[:8])}")
    try:
        return np.asarray(file[name])
    except OSError as error:
        raise BrokenAnnotations(path, f"{name!r}: {error}", "a readable data set") from error


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
