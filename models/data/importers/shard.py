"""One view's part of an import, on the disk. First its pictures are read; when all views of a camera's stand
are there, its plate is made of them; then people are found, and the view is measured. What is done is told
by `.read.json` and `.json`, written last; a killed process leaves a shard without."""

import logging
import multiprocessing
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dpa.models.atomic import disk_full_named, sync_file, write_json
from dpa.models.data.checks import Clip, Figures, Sample, measured, sampled
from dpa.models.documents import BadDocument, read_json
from dpa.models.workers import end_with_parent

from .background import box_of, median_plate, silhouette
from .catalogue import PictureFiles, ReaderLost, View
from .conventions import around_points
from .pictures import Bad, Fit, picture_size, read_picture, read_pictures, reason

CHUNK_BYTES: Final = 16_000_000
"""Pixels held at a time, beside the plate's samples."""

MASKED: Final = 127
"""Of 255: a given mask is the person above it."""

Done = TypeVar("Done")


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One view, its number in the import, and how its pictures are fitted to the stored size. stand: tells
    the views that one camera saw from one place, whose plate they share."""

    number: int
    view: View
    fit: Fit
    stand: int


@dataclass(frozen=True)
class Shard:
    """What was made of a view: `kept` of the `read` frames in its files, `plates` of its own (1, one a read
    frame, or 0 where the plate is its stand's), the pictures left out, and the figures by which it is judged,
    None if nothing was read. stored: (H, W) of the frames."""

    folder: Path
    number: int
    stand: int
    read: int
    kept: int
    plates: int
    bad: tuple[Bad, ...]
    figures: Figures | None
    stored: tuple[int, int]

    def path(self, what: str) -> Path:
        return shard_path(self.folder, self.number, what)

    def frames(self) -> NDArray[np.uint8]:
        """uint8 [read, H, W, 3], a memory map."""
        return np.memmap(self.path("frames"), np.uint8, "r", shape=(self.read, *self.stored, 3))

    def plate_pixels(self) -> NDArray[np.uint8]:
        """Its own plates, uint8 [plates, H, W, 3], a memory map."""
        return np.memmap(self.path("plates"), np.uint8, "r", shape=(self.plates, *self.stored, 3))

    def silhouettes(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of these read frames, bool [n, H, W]."""
        return _unpacked(self.path("bits"), self.read, self.stored, at)

    def rows(self) -> NDArray[np.void]:
        """A row a kept frame: "at", which of the read ones it is, "row", which of the view's, and "box" θ."""
        table: NDArray[np.void] = np.load(self.path("rows.npy"), allow_pickle=False)
        return table


ROWS = np.dtype([("at", "<i8"), ("row", "<i8"), ("box", "<f4", (4,))])


def shard_path(folder: Path, number: int, what: str) -> Path:
    return folder / f"{number:06d}.{what}"


def open_shard(folder: Path, task: Task) -> Shard | None:
    """A finished shard; None where there is none, or where a file of it is not as it was written."""
    facts = _facts(folder, task.number, "json")
    if facts is None or not was_read(folder, task):
        return None
    bad = tuple(Bad(*one) for one in facts["bad"])
    figures = None if facts["figures"] is None else Figures.from_json(facts["figures"])
    counts = facts["read"], facts["kept"], facts["plates"]
    return Shard(folder, task.number, task.stand, *counts, bad, figures, task.fit.stored)


def was_read(folder: Path, task: Task) -> bool:
    """Whether the view's pictures are in its shard already."""
    return _facts(folder, task.number, "read.json") is not None


def _facts(folder: Path, number: int, what: str) -> Any:
    """What a step noted at its end; None where it has not ended, or where the note or a file that it vouches
    for is damaged: then the step is done again."""
    path = shard_path(folder, number, what)
    try:
        facts = read_json(path)
        if facts["sums"] == {name: _sum_of(shard_path(folder, number, name)) for name in facts["sums"]}:
            return facts
    except FileNotFoundError:
        if not path.exists():
            return None
    except (BadDocument, KeyError, TypeError):
        pass
    log.warning("%s: damaged, and done again", path.with_suffix(""))
    path.unlink(missing_ok=True)
    return None


def _note(folder: Path, number: int, what: str, facts: Mapping[str, object], names: Sequence[str]) -> None:
    """Ends a step: its facts, and the sums of the files that it wrote."""
    sums = {name: _sum_of(shard_path(folder, number, name)) for name in names}
    write_json(shard_path(folder, number, what), {**facts, "sums": sums})


def _sum_of(path: Path) -> list[int]:
    """Length and CRC-32: against damage, not against malice."""
    total = 0
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            total = zlib.crc32(data, total)
    return [path.stat().st_size, total]


def read_view(folder: Path, task: Task) -> Task:
    """Reads a view's pictures into its shard, one chunk of frames at a time. Raises DiskFull."""
    names = {what: shard_path(folder, task.number, what) for what in ("frames", "plates")}
    partial = {what: path.with_name(f"{path.name}.partial-{os.getpid()}") for what, path in names.items()}
    with disk_full_named(folder):
        kept, bad = _write_frames(partial["frames"], partial["plates"], task.view, task.fit)
        for what, path in partial.items():
            sync_file(path)
            path.replace(names[what])
    own = isinstance(task.view.plate, PictureFiles)  # otherwise a later step writes the plates
    facts = {"kept": kept, "bad": [[one.name, one.reason] for one in bad]}
    _note(folder, task.number, "read.json", facts, ("frames", "plates") if own else ("frames",))
    return task


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


def stand_plate(folder: Path, tasks: Sequence[Task]) -> None:
    """Writes the plate that the views of one stand share: the median over the frames of all of them."""
    path = shard_path(folder, tasks[0].stand, "plate.npy")
    if all(task.view.plate is not None for task in tasks) or _facts(folder, tasks[0].stand, "plate.json"):
        return
    films = [_read_frames(folder, task) for task in tasks]
    films = [frames for frames in films if len(frames)]
    if not films:
        return
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    with disk_full_named(folder), partial.open("wb") as file:
        np.save(file, median_plate(films))
    partial.replace(path)
    _note(folder, tasks[0].stand, "plate.json", {}, (path.name.partition(".")[2],))


def _read_frames(folder: Path, task: Task) -> NDArray[np.uint8]:
    """Every frame that was read, uint8 [n, H, W, 3], a memory map."""
    shape = (len(_facts(folder, task.number, "read.json")["kept"]), *task.fit.stored, 3)
    path = shard_path(folder, task.number, "frames")
    return np.memmap(path, np.uint8, "r", shape=shape) if shape[0] else np.zeros(shape, np.uint8)


def find_people(folder: Path, task: Task) -> Shard:
    """Finds the person in each frame that was read, measures the view, and finishes its shard. Raises
    DiskFull."""
    view, fit, number = task.view, task.fit, task.number
    facts = _facts(folder, number, "read.json")
    bad = [Bad(*one) for one in facts["bad"]]
    rows = np.zeros(len(facts["kept"]), ROWS)
    rows["at"], rows["row"] = np.arange(len(rows)), facts["kept"]
    read, plates, figures = len(rows), 0, None
    partial = shard_path(folder, number, f"bits.partial-{os.getpid()}")
    with disk_full_named(folder):
        partial.touch()
        if read:
            frames = _read_frames(folder, task)
            behind, plates = _plates(folder, task, read, bad)
            seen = _write_silhouettes(partial, task, frames, behind, rows, bad)
            rows = rows[seen]
            times = view.numbers / view.fps if view.times is None else view.times
            figures = measured(
                Clip(
                    _samples(partial, frames, behind, rows["at"]),
                    fit.stored,
                    rows["box"],
                    stored_joints(view, fit, rows["row"]),
                    None if view.poses is None else view.poses[rows["row"]],
                    times[rows["row"]],
                    fixed=len(behind) == 1,
                    empty=read - len(rows),
                )
            )
        sync_file(partial)
        partial.replace(shard_path(folder, number, "bits"))
        with shard_path(folder, number, "rows.npy").open("wb") as file:
            np.save(file, rows)
    left_out = [[one.name, one.reason] for one in bad]
    counts = {"read": read, "kept": len(rows), "plates": plates}
    told = None if figures is None else figures.to_json()
    names = ("bits", "rows.npy", "plates") if plates else ("bits", "rows.npy")
    _note(folder, number, "json", {**counts, "bad": left_out, "figures": told}, names)
    return Shard(folder, number, task.stand, read, len(rows), plates, tuple(bad), figures, fit.stored)


def _plates(folder: Path, task: Task, read: int, bad: list[Bad]) -> tuple[NDArray[np.uint8], int]:
    """The plates behind the read frames, [1 or read, H, W, 3], and how many of them are the view's own: a
    given one, or one a frame; 0 where it is its stand's, or a given one cannot be read."""
    own = shard_path(folder, task.number, "plates")
    if isinstance(task.view.plate, PictureFiles):
        return np.memmap(own, np.uint8, "r", shape=(read, *task.fit.stored, 3)), read
    if task.view.plate is not None:
        try:
            plate = read_picture(task.view.plate, task.fit)
        except FileNotFoundError:
            pass  # the layout does without
        except Exception as error:  # decoders raise anything for bad bytes
            bad.append(Bad(str(task.view.plate), f"plate, made by median instead: {reason(error)}"))
        else:
            own.write_bytes(plate.tobytes())
            return plate[None], 1
        plate = median_plate([_read_frames(folder, task)])
        own.write_bytes(plate.tobytes())
        return plate[None], 1
    shared: NDArray[np.uint8] = np.load(shard_path(folder, task.stand, "plate.npy"), allow_pickle=False)
    return shared[None], 0


def _write_silhouettes(
    path: Path,
    task: Task,
    frames: NDArray[np.uint8],
    plates: NDArray[np.uint8],
    rows: NDArray[np.void],
    bad: list[Bad],
) -> NDArray[np.bool_]:
    """Writes every read frame's silhouette and fills in `rows["box"]`; which frames show somebody, [read]."""
    boxes = _known_boxes(task.view, task.fit, rows["row"])
    given = _masks(task.view, task.fit, rows["row"], bad)
    seen = np.ones(len(rows), bool)
    with path.open("wb") as bits:
        for i, masked in enumerate(given):
            box = None if boxes is None else boxes[i]
            mask = masked
            if mask is None:
                mask = silhouette(frames[i], plates[i if len(plates) > 1 else 0], box)
            box = box_of(mask) if box is None else box
            if box is None:
                seen[i] = False
                bad.append(Bad(_file_name(task.view, int(rows["row"][i])), "nobody to be seen"))
            else:
                rows["box"][i] = box
            bits.write(np.packbits(mask.reshape(-1)).tobytes())
    return seen


def _masks(
    view: View, fit: Fit, kept: NDArray[np.int64], bad: list[Bad]
) -> Iterator[NDArray[np.bool_] | None]:
    """The person as the layout's own masks show it, bool [H, W]; None where the pictures must tell."""
    size = None if view.masks is None else picture_size(view.masks)
    if view.masks is None or size is None:
        yield from (None for _ in kept)
        return
    for _, mask in read_pictures(view.masks.take(kept), Fit(size, fit.stored)):
        if isinstance(mask, Bad):
            bad.append(Bad(mask.name, f"mask, found by difference instead: {mask.reason}"))
        yield None if isinstance(mask, Bad) else mask.max(axis=-1) > MASKED


def _samples(
    bits: Path, frames: NDArray[np.uint8], plates: NDArray[np.uint8], at: NDArray[np.int64]
) -> Iterator[Sample]:
    """What the view is measured on: of the kept frames, `at` among the read ones, some."""
    for row in sampled(len(at)).tolist():
        place = int(at[row])
        mask = _unpacked(bits, len(frames), frames.shape[1:3], at[row : row + 1])[0]
        yield row, np.asarray(frames[place]), np.asarray(plates[place if len(plates) > 1 else 0]), mask


def _unpacked(path: Path, count: int, size: tuple[int, ...], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    h, w = size
    bits = np.memmap(path, np.uint8, "r", shape=(count, (h * w + 7) // 8))
    return np.unpackbits(bits[at], axis=1, count=h * w).view(np.bool_).reshape(-1, h, w)


def _known_boxes(view: View, fit: Fit, kept: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """Boxes θ [kept, 4] in the stored frame, given or from joints; None where only the pictures tell."""
    if view.boxes is not None:
        return fit.boxes(view.boxes[kept])
    if view.joints is not None:
        return fit.boxes(around_points(view.joints[kept], fit.source))
    return None


def stored_joints(view: View, fit: Fit, kept: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """Where the joints are in the stored frames, float32 [kept, 17, 2]; None where nobody knows."""
    return None if view.joints is None else fit.points(view.joints[kept])


def _file_name(view: View, index: int) -> str:
    if isinstance(view.pictures, PictureFiles):
        return str(view.pictures.path(index))
    return f"{view.pictures.file}#{view.pictures.wanted[index]}"


def chunks(count: int, item_bytes: int) -> Iterator[slice]:
    """Ranges that cover `count` items, of about CHUNK_BYTES each."""
    step = max(CHUNK_BYTES // item_bytes, 1)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


# Views to shards, on one process or several; a process that only reads pictures imports neither torch nor
# pyarrow.


def in_pool(
    work: Callable[[Path, Task], Done], folder: Path, tasks: Sequence[Task], workers: int
) -> Iterator[Done]:
    """Runs the tasks and yields what comes of each when it is done, in any order. An error in one stops the
    rest. Raises ReaderLost if a process ends without one."""
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from (work(folder, task) for task in tasks)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, end_with_parent) as pool:
        waiting = {pool.submit(work, folder, task): task for task in tasks}
        try:
            for done in as_completed(list(waiting)):
                yield done.result()
                del waiting[done]
        except BrokenProcessPool as error:
            raise ReaderLost([task.view.name for task in waiting.values()][: 2 * workers]) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
