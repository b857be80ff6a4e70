"""One view's part of an import, on the disk: cut out, with plate, silhouettes and boxes. A shard is whole
when its `.json` is there; a killed process leaves it without."""

import json
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dpa.models.atomic import disk_full_named, sync_file, write_json

from .background import box_of, median_plate, silhouette
from .catalogue import PictureFiles, ReaderLost, View
from .conventions import around_points
from .pictures import Bad, Fit, plate_files, read_picture, read_pictures, reason

CHUNK_BYTES: Final = 16_000_000
"""Pixels held at a time, beside the plate's samples."""


@dataclass(frozen=True)
class Shard:
    """What was made of a view: `kept` frames of it, `plates` (1, one a kept frame, or 0 if none was kept),
    and the pictures left out. stored: (H, W) of the frames."""

    folder: Path
    number: int
    kept: int
    plates: int
    bad: tuple[Bad, ...]
    stored: tuple[int, int]

    def path(self, what: str) -> Path:
        return shard_path(self.folder, self.number, what)

    def frames(self) -> NDArray[np.uint8]:
        """uint8 [kept, H, W, 3], a memory map."""
        return np.memmap(self.path("frames"), np.uint8, "r", shape=(self.kept, *self.stored, 3))

    def plate_pixels(self) -> NDArray[np.uint8]:
        """uint8 [plates, H, W, 3], a memory map."""
        return np.memmap(self.path("plates"), np.uint8, "r", shape=(self.plates, *self.stored, 3))

    def silhouettes(self, rows: slice) -> NDArray[np.bool_]:
        """bool [n, H, W]."""
        h, w = self.stored
        bits = np.memmap(self.path("bits"), np.uint8, "r", shape=(self.kept, (h * w + 7) // 8))
        return np.unpackbits(bits[rows], axis=1, count=h * w).view(np.bool_).reshape(-1, h, w)

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Which frames of the view were kept, [kept], and their boxes θ, [kept, 4]."""
        table = np.load(self.path("rows.npy"), allow_pickle=False)
        return table["row"], table["box"]


ROWS = np.dtype([("row", "<i8"), ("box", "<f4", (4,))])


def shard_path(folder: Path, number: int, what: str) -> Path:
    return folder / f"{number:06d}.{what}"


def open_shard(folder: Path, number: int, stored: tuple[int, int]) -> Shard | None:
    """A finished shard, or None."""
    try:
        facts = json.loads(shard_path(folder, number, "json").read_text())
    except FileNotFoundError:
        return None
    bad = tuple(Bad(*one) for one in facts["bad"])
    return Shard(folder, number, facts["kept"], facts["plates"], bad, stored)


def make_shard(folder: Path, number: int, view: View, fit: Fit) -> Shard:
    """Reads a view's pictures and writes its shard. Holds one chunk of frames and the plate's samples at a
    time, however long the view is. Raises DiskFull."""
    token = f"partial-{os.getpid()}"
    names = {what: shard_path(folder, number, f"{what}.{token}") for what in ("frames", "bits", "plates")}
    with disk_full_named(folder):
        kept, bad = _write_frames(names["frames"], names["plates"], view, fit)
        rows = np.zeros(len(kept), ROWS)
        rows["row"] = kept
        plates = 0
        if len(kept):
            seen, plates = _find_people(names, view, fit, rows, bad)
            if not seen.all():
                for what in ("frames", "bits", "plates") if plates > 1 else ("frames", "bits"):
                    _keep_only(names[what], seen)
                plates = int(seen.sum()) if plates > 1 else plates
                rows = rows[seen]
        else:
            names["bits"].touch()
        for what, path in names.items():
            sync_file(path)
            path.replace(shard_path(folder, number, what))
        with shard_path(folder, number, "rows.npy").open("wb") as file:
            np.save(file, rows)
    facts = {"kept": len(rows), "plates": plates, "bad": [[one.name, one.reason] for one in bad]}
    write_json(shard_path(folder, number, "json"), facts)
    return Shard(folder, number, len(rows), plates, tuple(bad), fit.stored)


def _write_frames(frames: Path, plates: Path, view: View, fit: Fit) -> tuple[list[int], list[Bad]]:
    """Appends every readable picture, and its plate where each has one; what was kept, what was bad."""
    kept: list[int] = []
    bad: list[Bad] = []
    with frames.open("wb") as pixels, plates.open("wb") as behind:
        for index, frame in read_pictures(view.pictures, fit):
            if isinstance(frame, Bad):
                bad.append(frame)
                continue
            if isinstance(view.plate, PictureFiles):
                path = view.plate.path(index)
                try:
                    behind.write(read_picture(path, fit).tobytes())
                except Exception as error:  # decoders raise anything for bad bytes
                    bad.append(Bad(str(path), f"plate: {reason(error)}"))
                    continue
            pixels.write(frame.tobytes())
            kept.append(index)
    return kept, bad


def _find_people(
    names: dict[str, Path], view: View, fit: Fit, rows: NDArray[np.void], bad: list[Bad]
) -> tuple[NDArray[np.bool_], int]:
    """Writes plates and silhouettes and fills in `rows["box"]`; which frames show somebody, bool [kept],
    and the number of plates."""
    shape = (len(rows), *fit.stored, 3)
    frames = np.memmap(names["frames"], np.uint8, "r", shape=shape)
    own = isinstance(view.plate, PictureFiles)
    if own:
        plates: NDArray[np.uint8] = np.memmap(names["plates"], np.uint8, "r", shape=shape)
    else:
        plates = _one_plate(frames, view, fit, bad)[None]
        names["plates"].write_bytes(plates.tobytes())
    boxes = _known_boxes(view, fit, rows["row"])
    seen = np.ones(len(rows), bool)
    with names["bits"].open("wb") as bits:
        for chunk in chunks(len(rows), frames[0].nbytes):
            for i in range(chunk.start, chunk.stop):
                box = None if boxes is None else boxes[i]
                mask = silhouette(frames[i], plates[i if own else 0], box)
                box = box_of(mask) if box is None else box
                if box is None:
                    seen[i] = False
                    bad.append(Bad(_file_name(view, int(rows["row"][i])), "nobody to be seen"))
                else:
                    rows["box"][i] = box
                bits.write(np.packbits(mask.reshape(-1)).tobytes())
    return seen, len(plates)


def _one_plate(frames: NDArray[np.uint8], view: View, fit: Fit, bad: list[Bad]) -> NDArray[np.uint8]:
    """The view's given plate, or the median where there is none or it cannot be read."""
    path = plate_files(view.plate, 0)
    if path is not None:
        try:
            return read_picture(path, fit)
        except FileNotFoundError:
            pass  # the layout does without
        except Exception as error:  # decoders raise anything for bad bytes
            bad.append(Bad(str(path), f"plate, made by median instead: {reason(error)}"))
    return median_plate(frames)


def _known_boxes(view: View, fit: Fit, kept: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """Boxes θ [kept, 4] in the stored frame, given or from joints; None where only the pictures tell."""
    if view.boxes is not None:
        return fit.boxes(view.boxes[kept])
    if view.joints is not None:
        return fit.boxes(around_points(view.joints[kept], fit.source))
    return None


def _file_name(view: View, index: int) -> str:
    if isinstance(view.pictures, PictureFiles):
        return str(view.pictures.path(index))
    return f"{view.pictures.file}#{view.pictures.wanted[index]}"


def chunks(count: int, item_bytes: int) -> Iterator[slice]:
    """Ranges that cover `count` items, of about CHUNK_BYTES each."""
    step = max(CHUNK_BYTES // item_bytes, 1)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _keep_only(path: Path, seen: NDArray[np.bool_]) -> None:
    """Drops from a file of len(seen) equal items those that are not to be kept, in place."""
    item = path.stat().st_size // len(seen)
    with path.open("r+b") as file:
        for place, index in enumerate(np.flatnonzero(seen)):
            file.seek(int(index) * item)
            data = file.read(item)
            file.seek(place * item)
            file.write(data)
        file.truncate(int(seen.sum()) * item)


# Views to shards, on one process or several; a process that only reads pictures imports neither torch nor
# pyarrow.


@dataclass(frozen=True)
class Task:
    """One view, its number in the import, and how its pictures are fitted to the stored size."""

    number: int
    view: View
    fit: Fit


def make_shards(folder: Path, tasks: Sequence[Task], workers: int) -> Iterator[Shard]:
    """Runs the tasks and yields each shard when it is done, in any order. An error in one stops the rest.

    Raises ReaderLost if a process ends without one.
    """
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from (_make(folder, task) for task in tasks)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _end_with_parent) as pool:
        waiting = {pool.submit(_make, folder, task): task for task in tasks}
        try:
            for done in as_completed(list(waiting)):
                yield done.result()
                del waiting[done]
        except BrokenProcessPool as error:
            raise ReaderLost([task.view.name for task in waiting.values()][: 2 * workers]) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make(folder: Path, task: Task) -> Shard:
    return make_shard(folder, task.number, task.view, task.fit)


def _end_with_parent() -> None:
    """A pool's processes outlive a parent that was killed, and would go on writing: these do not."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # only called in a pool's process

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
