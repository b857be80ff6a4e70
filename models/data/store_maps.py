"""The store's files as memory maps while it is being written, by one process or by several."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpa.models.atomic import disk_full_named
from dpa.models.data.contract import COLUMNS, clip_rows
from dpa.models.data.store_format import FRAMES, JOINTS, POSES, SILHOUETTES, Layout
from dpa.models.errors import InputError

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
        self._rows = np.memmap(folder / ROWS, ROW, "r+", shape=(n,))

    @staticmethod
    def prepare(folder: Path, layout: Layout, *, sparse: bool) -> None:
        """Makes the files at their full length, filled with zeros.

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
    ) -> None:
        """Writes n consecutive frames from number `start` on.

        frames: uint8 [n, H, W, 3]; silhouettes: bool [n, H, W]; poses: float32 [n, 17, 3] mm,
        root-relative, camera axes; columns: the index (`contract.COLUMNS`), n entries each or a scalar.
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
