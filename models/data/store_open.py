"""Reads a store's manifest, index and cameras, and refuses a store that is not whole."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from dpa.models.data.contract import COLUMNS, Camera
from dpa.models.data.store_errors import BrokenIndex, MissingPlate, NotAStore, TruncatedFile, WrongVersion
from dpa.models.data.store_format import (
    CAMERAS,
    FORMAT_VERSION,
    INDEX,
    MANIFEST,
    PLATES,
    Manifest,
    check_references,
    file_size,
)
from dpa.models.data.tables import from_table
from dpa.models.errors import InputError


def read_manifest(folder: Path) -> Manifest:
    """The manifest, after the length of every file has been compared with it.

    Raises NotAStore, WrongVersion, MissingPlate, TruncatedFile.
    """
    try:
        document = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        raise NotAStore(folder, f"no {MANIFEST}" if folder.is_dir() else "no such folder") from None
    except (OSError, ValueError) as error:
        raise NotAStore(folder, f"{MANIFEST} cannot be read ({error})") from error
    if not isinstance(document, dict) or document.get("format") != "dpa-packed-store":
        raise NotAStore(folder, f"{MANIFEST} is not a packed store's")
    if document.get("version") != FORMAT_VERSION:
        raise WrongVersion(folder, document.get("version"), FORMAT_VERSION)
    try:
        manifest = Manifest.model_validate(document)
        expected = {INDEX: manifest.bytes[INDEX], CAMERAS: manifest.bytes[CAMERAS]} | manifest.layout.bytes()
    except (ValidationError, KeyError) as error:
        raise NotAStore(folder, f"{MANIFEST} is not as this version writes it ({error})") from error
    for name, size in expected.items():
        found = file_size(folder / name)
        if found is None and name == PLATES:
            raise MissingPlate(
                folder, found=f"no {PLATES}", expected=f"{manifest.layout.plates} plates in it"
            )
        if found != size:
            raise TruncatedFile(folder / name, found, size)
    return manifest


def read_index(folder: Path, manifest: Manifest) -> dict[str, NDArray[np.generic]]:
    """Every column of the index as an array of one entry a frame. Raises BrokenIndex, MissingPlate."""
    try:
        table = pq.read_table(folder / INDEX)
        found = from_table(table)
        columns = {name: _typed(found[name], COLUMNS[name]) for name in COLUMNS.names or ()}
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise BrokenIndex(folder / INDEX, found=str(error), expected="the index's columns") from error
    if table.num_rows != manifest.layout.count:
        raise BrokenIndex(
            folder / INDEX, found=f"{table.num_rows:,} rows", expected=f"{manifest.layout.count:,} rows"
        )
    check_references(folder, columns["plate"], columns["camera"], manifest)  # type: ignore[arg-type]
    return columns


def read_cameras(folder: Path, manifest: Manifest) -> tuple[Camera, ...]:
    """The calibrated cameras. Raises BrokenIndex."""
    try:
        cameras = tuple(Camera.from_json(value) for value in json.loads((folder / CAMERAS).read_text()))
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise BrokenIndex(folder / CAMERAS, found=str(error), expected="calibrated cameras") from error
    if len(cameras) != manifest.cameras:
        raise BrokenIndex(
            folder / CAMERAS, found=f"{len(cameras)} cameras", expected=f"{manifest.cameras} cameras"
        )
    return cameras


def _typed(column: NDArray[np.generic], kind: np.dtype[np.void]) -> NDArray[np.generic]:
    """The column, its names as long as they are and its numbers of the contract's type."""
    if column.shape[1:] != kind.shape or (column.dtype.kind == "U") != (kind.kind == "U"):
        raise ValueError(f"{column.dtype} entries of shape {column.shape[1:]}, not {kind.base} {kind.shape}")
    return column if kind.kind == "U" else column.astype(kind.base, copy=False)
