"""The packed store on disk: its files, what can be wrong with them, and the maps that fill them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeInt, PositiveFloat, PositiveInt

from dpa.models.atomic import disk_full_named
from dpa.models.data.contract import COLUMNS, clip_rows
from dpa.models.errors import InputError

REMAKE = "make it again (dpa-engine data synth or data import), or copy it again if it was copied"


class NotAStore(InputError):
    """The folder holds no packed store, or its manifest cannot be understood."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            found=f"{path}: {found}",
            expected="the folder of a packed store, with a readable manifest.json",
            remedy="give the folder that dpa-engine data synth or data import wrote",
        )


class WrongVersion(InputError):
    """The store was written in a format that this version does not read."""

    def __init__(self, path: Path, found: object, expected: int) -> None:
        super().__init__(
            found=f"{path}: store format version {found!r}",
            expected=f"version {expected}",
            remedy="make the store again with this version of dpa-engine",
        )


class TruncatedFile(InputError):
    """A file is absent, or its length is not what the manifest says."""

    def __init__(self, path: Path, found: int | None, expected: int) -> None:
        super().__init__(
            found=f"{path}: " + ("no such file" if found is None else f"{found:,} bytes"),
            expected=f"{expected:,} bytes",
            remedy=REMAKE,
        )


class MissingPlate(InputError):
    """A frame's background plate is not there."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(found=f"{path}: {found}", expected=expected, remedy=REMAKE)


class BrokenIndex(InputError):
    """The index does not fit the frames, or the cameras do not fit the index."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(found=f"{path}: {found}", expected=expected, remedy=REMAKE)


class OutputExists(InputError):
    """The folder to write to already holds something: it is never overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            found=f"{path} already exists",
            expected="a new or empty folder",
            remedy="choose another folder, or remove this one first",
        )


FORMAT_VERSION: Final = 1

MANIFEST: Final = "manifest.json"
FRAMES: Final = "frames.u8"
SILHOUETTES: Final = "silhouettes.bits"
PLATES: Final = "plates.u8"
POSES: Final = "poses.f32"
PIXELS: Final = "joints.f32"
INDEX: Final = "index.parquet"
CAMERAS: Final = "cameras.json"
JOINTS: Final = 17


class Layout(BaseModel):
    """How many of what size: all that a writer in another process must know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    count: PositiveInt
    height: PositiveInt
    width: PositiveInt
    plates: PositiveInt

    @property
    def silhouette_bytes(self) -> int:
        """Bytes of one bit-packed silhouette. Each begins on a byte, so that frames can be written apart."""
        return (self.height * self.width + 7) // 8

    @property
    def pixel_bytes(self) -> int:
        """Length of the file of the joints' pixels, which not every store has."""
        return self.count * JOINTS * 2 * 4

    def bytes(self) -> dict[str, int]:
        """Exact length of every raw file."""
        image = self.height * self.width * 3
        return {
            FRAMES: self.count * image,
            SILHOUETTES: self.count * self.silhouette_bytes,
            PLATES: self.plates * image,
            POSES: self.count * JOINTS * 3 * 4,
        }


class Manifest(BaseModel):
    """manifest.json. No time of day in it: the same data gives the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["dpa-packed-store"] = "dpa-packed-store"
    version: int = FORMAT_VERSION
    layout: Layout
    cameras: PositiveInt
    fps: PositiveFloat
    seed: int | None
    source: str
    meta: Mapping[str, JsonValue]
    bytes: Mapping[str, NonNegativeInt]


def file_size(path: Path) -> int | None:
    """Length of a regular file, None where there is none."""
    return path.stat().st_size if path.is_file() else None


def check_references(
    path: Path, plate: NDArray[np.int64], camera: NDArray[np.int64], manifest: Manifest
) -> None:
    """Raises MissingPlate or BrokenIndex if a row points at a plate or camera that is not in the store."""
    for numbers, limit, error in (
        (plate, manifest.layout.plates, MissingPlate),
        (camera, manifest.cameras, BrokenIndex),
    ):
        name = "plate" if error is MissingPlate else "camera"
        if numbers.min() < 0 or numbers.max() >= limit:
            raise error(
                path,
                found=f"{name} numbers {numbers.min()} to {numbers.max()} in the index",
                expected=f"{name} numbers from 0 to {limit - 1}",
            )


# The store's files as memory maps while it is being written, by one process or by several.


LAYOUT = "layout.json"
ROWS = "rows.bin"
"""The index while it is being written: fixed-size rows, so that processes can fill them apart."""

ROW = np.dtype([("written", "?"), ("row", COLUMNS)])


class StoreMaps:
    """Writes frames into a store under construction. Ranges that do not overlap may be written in any
    order and from any number of processes: each opens its own StoreMaps on the same temporary folder."""

    def __init__(self, folder: Path) -> None:
        """Opens the maps of a folder prepared by `prepare`."""
        layout = Layout.model_validate_json((folder / LAYOUT).read_text())
        n, h, w = layout.count, layout.height, layout.width
        self.layout = layout
        self._frames = np.memmap(folder / FRAMES, np.uint8, "r+", shape=(n, h, w, 3))
        self._silhouettes = np.memmap(
            folder / SILHOUETTES, np.uint8, "r+", shape=(n, layout.silhouette_bytes)
        )
        self._poses = np.memmap(folder / POSES, "<f4", "r+", shape=(n, JOINTS, 3))
        self._pixels = (
            np.memmap(folder / PIXELS, "<f4", "r+", shape=(n, JOINTS, 2))
            if (folder / PIXELS).exists()
            else None
        )
        self._rows = np.memmap(folder / ROWS, ROW, "r+", shape=(n,))

    @staticmethod
    def prepare(folder: Path, layout: Layout, *, sparse: bool, pixels: bool = False) -> None:
        """Makes the files at their full length, filled with zeros; the joints' pixels if wanted.

        Their space is reserved at once, because a memory map that meets a full disk later kills the
        process; `sparse` leaves holes instead. Raises DiskFull.
        """
        (folder / LAYOUT).write_text(layout.model_dump_json())
        sizes = layout.bytes()
        for name, size in (
            (FRAMES, sizes[FRAMES]),
            (SILHOUETTES, sizes[SILHOUETTES]),
            (POSES, sizes[POSES]),
            (ROWS, layout.count * ROW.itemsize),
            *([(PIXELS, layout.pixel_bytes)] if pixels else []),
        ):
            with (folder / name).open("xb") as file, disk_full_named(folder / name, size):
                if sparse or not hasattr(os, "posix_fallocate"):
                    file.truncate(size)
                else:
                    os.posix_fallocate(file.fileno(), 0, size)

    def write(
        self,
        start: int,
        frames: NDArray[np.uint8],
        silhouettes: NDArray[np.bool_],
        poses: NDArray[np.float32],
        columns: Mapping[str, object],
        pixels: NDArray[np.float32] | None = None,
    ) -> None:
        """Writes n consecutive frames from number `start` on.

        frames: uint8 [n, H, W, 3]; silhouettes: bool [n, H, W]; poses: float32 [n, 17, 3] mm,
        root-relative, camera axes; columns: the index (`contract.COLUMNS`), n entries each or a scalar.
        pixels: float32 [n, 17, 2], where the joints are in the frames, (u, v) as of Camera.project; None
        where nobody knows. Kept where the store was prepared for them.
        Raises InputError for a shape or type that does not fit and for a range outside the store.
        """
        n, h, w = len(frames), self.layout.height, self.layout.width
        _check("frames", frames, (n, h, w, 3), np.dtype(np.uint8))
        _check("silhouettes", silhouettes, (n, h, w), np.dtype(np.bool_))
        _check("poses", poses, (n, JOINTS, 3), np.dtype(np.float32))
        rows = self._index_rows(start, n, columns)
        here = slice(start, start + n)
        self._frames[here] = frames
        self._silhouettes[here] = np.packbits(silhouettes.reshape(n, h * w), axis=1)
        self._poses[here] = poses
        if self._pixels is not None:
            self._pixels[here] = np.nan if pixels is None else pixels
        self._rows[here] = rows

    def write_index(self, start: int, count: int, columns: Mapping[str, object]) -> None:
        """Writes the index rows alone; frames, silhouettes and poses of the range stay as they are."""
        self._rows[start : start + count] = self._index_rows(start, count, columns)

    def rows(self) -> NDArray[np.void]:
        """The finished index. Raises InputError if frames were never written."""
        missing = np.flatnonzero(~self._rows["written"])
        if len(missing):
            raise InputError(
                found=f"{len(missing):,} of {self.layout.count:,} frames not written, first {missing[0]}",
                expected="every frame written before the store is closed",
                remedy="write the missing ranges, or give the writer the true count",
            )
        rows: NDArray[np.void] = np.asarray(self._rows["row"])
        return rows

    def _index_rows(self, start: int, count: int, columns: Mapping[str, object]) -> NDArray[np.void]:
        if start < 0 or start + count > self.layout.count:
            raise InputError(
                found=f"frames {start} to {start + count - 1}",
                expected=f"a range within 0 to {self.layout.count - 1}",
                remedy="give the writer the true count of frames",
            )
        rows = np.zeros(count, dtype=ROW)
        rows["row"] = clip_rows(count, columns)
        rows["written"] = True
        return rows


def _check(
    name: str, array: NDArray[np.generic], shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> None:
    if array.shape != shape or array.dtype != dtype:
        raise InputError(
            found=f"{name}: {array.dtype} {list(array.shape)}",
            expected=f"{dtype} {list(shape)}",
            remedy="convert before writing",
        )
