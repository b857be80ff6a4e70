"""Writes a packed store: into a temporary folder beside the target, which takes its name at the end."""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from dpa.models.atomic import (
    disk_full_named,
    partial_folder,
    sync_file,
    sync_folder,
    write_json,
    write_text,
)
from dpa.models.data.contract import COLUMNS, Camera
from dpa.models.data.store_format import (
    CAMERAS,
    FRAMES,
    INDEX,
    LAYOUT,
    MANIFEST,
    PIXELS,
    PLATES,
    POSES,
    ROWS,
    SILHOUETTES,
    Layout,
    Manifest,
    OutputExists,
    StoreMaps,
    check_references,
)
from dpa.models.data.tables import to_table
from dpa.models.errors import InputError


class PackedStoreWriter:
    """A context manager. When its block ends well the store appears under its name, complete; when the
    block raises, nothing is left; when the process is killed, only `.partial-…-NAME`, until the next one."""

    def __init__(
        self,
        out: Path,
        *,
        cameras: Sequence[Camera],
        plates: NDArray[np.uint8],
        fps: float,
        seed: int | None,
        source: str,
        count: int,
        meta: Mapping[str, object] | None = None,
        sparse: bool = False,
        pixels: bool = False,
    ) -> None:
        """out: folder to appear. plates: uint8 [P, H, W, 3], which gives the frames' size. fps: frames per
        second of the clips. source: one word on where the data came from. count: frames in all.
        meta: anything JSON can hold. sparse: do not reserve the disk space (for measurements on holes).
        pixels: keep where the joints are in the frames.
        Raises OutputExists, DiskFull, InputError.
        """
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputExists(out)
        if plates.ndim != 4 or plates.shape[3] != 3 or plates.dtype != np.uint8:
            raise InputError(
                found=f"plates: {plates.dtype} {list(plates.shape)}",
                expected="uint8 [P, H, W, 3]",
                remedy="convert before writing",
            )
        try:
            layout = Layout(count=count, height=plates.shape[1], width=plates.shape[2], plates=len(plates))
            self._manifest = Manifest(
                layout=layout,
                cameras=len(cameras),
                fps=float(fps),
                seed=seed,
                source=source,
                meta=dict(meta or {}),  # type: ignore[arg-type]  # checked by the model
                bytes={},
            )
        except ValidationError as error:
            raise InputError(
                found=f"a store of {count} frames, {len(plates)} plates, {len(cameras)} cameras: {error}",
                expected="at least one frame, plate and camera, a positive rate, meta that JSON can hold",
                remedy="correct the arguments",
            ) from error
        self._out, self._cameras = out, tuple(cameras)
        self._place = partial_folder(out)
        self.folder = self._place.__enter__()
        try:
            StoreMaps.prepare(self.folder, layout, sparse=sparse, pixels=pixels)
            with disk_full_named(self.folder / PLATES):
                (self.folder / PLATES).write_bytes(np.ascontiguousarray(plates).data)
            self.maps = StoreMaps(self.folder)
        except BaseException:
            self._place.__exit__(None, None, None)
            raise

    @staticmethod
    def attach(folder: Path) -> StoreMaps:
        """The same store for another process: `folder` is the writer's `.folder`."""
        return StoreMaps(folder)

    def write(
        self,
        start: int,
        frames: NDArray[np.uint8],
        silhouettes: NDArray[np.bool_],
        poses: NDArray[np.float32],
        columns: Mapping[str, object],
        pixels: NDArray[np.float32] | None = None,
    ) -> None:
        """Writes n consecutive frames from number `start` on; see `StoreMaps.write`."""
        self.maps.write(start, frames, silhouettes, poses, columns, pixels)

    def __enter__(self) -> "PackedStoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._place.__exit__(None, None, None)

    def _finish(self) -> None:
        rows = self.maps.rows()
        check_references(self._out, rows["plate"], rows["camera"], self._manifest)
        with disk_full_named(self.folder / INDEX):
            pq.write_table(
                to_table({name: rows[name] for name in COLUMNS.names or ()}),
                self.folder / INDEX,
                compression="zstd",
            )
        write_json(self.folder / CAMERAS, [camera.to_json() for camera in self._cameras])
        names = [FRAMES, SILHOUETTES, PLATES, POSES, INDEX, CAMERAS]
        names += [PIXELS] if (self.folder / PIXELS).exists() else []
        with disk_full_named(self.folder):
            for name in names:
                sync_file(self.folder / name)
        sizes = {name: (self.folder / name).stat().st_size for name in names}
        manifest = self._manifest.model_copy(update={"bytes": sizes})
        write_text(self.folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        (self.folder / LAYOUT).unlink()
        (self.folder / ROWS).unlink()
        try:
            self.folder.replace(self._out)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise OutputExists(self._out) from error  # somebody else was faster
            raise
        sync_folder(self._out.parent)
