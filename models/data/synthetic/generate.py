"""Generates a packed store of synthetic people, clip by clip, on any number of processes.

Every clip owns a range of the store and its own random numbers, so neither the order nor the process that
renders it changes a byte.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from dpa.models.atomic import partial_folder
from dpa.models.data.contract import COLUMNS
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.errors import InputError
from dpa.models.workers import end_with_parent

from .body import SUBJECTS
from .cameras import Plate, plates, views
from .clip import ClipKey, Task, Worker, render, start_worker, take, true_boxes
from .config import SynthConfig
from .geometry import Array
from .motion.actions import ACTIONS

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

__all__ = ["ACTIONS", "SUBJECTS", "Progress", "SynthConfig", "clip_keys", "generate", "generate_redressed"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes started meanwhile use one thread each: the clips are the parallelism."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def clip_keys(config: SynthConfig) -> list[ClipKey]:
    """All clips of the set, in the order of the store."""
    return [
        ClipKey(subject, action, number, config.outfit or subject)
        for subject in config.subjects
        for action in config.actions
        for number in range(config.clips)
    ]


def _stored_plates(config: SynthConfig, tasks: list[Task], made: Sequence[Plate]) -> Array:
    """Plates [P, H, W, 3]: one a camera, or, for crops, one a sample."""
    if config.crop_size is None:
        return np.stack([plate.image for plate in made])
    seen_by = views(config.scene_size, config.zoom)
    crops = []
    for task in tasks:
        moment = take(task.key, config.frames, config.fps, config.seed, config.zoom)
        for boxes in true_boxes(moment, seen_by):
            pairs = zip(made, boxes, strict=True)
            crops += [plate.cropped(box, config.crop_size).image for plate, box in pairs]
    return np.stack(crops)


def _rendered(config: SynthConfig, tasks: list[Task], made: Sequence[Plate], folder: Path) -> Iterator[int]:
    """Runs the tasks; yields the number of images of each as it ends."""
    workers = min(config.workers, len(tasks))
    if workers == 1:
        yield from map(Worker.of(config, made, folder).run, tasks)
        return
    spawn = multiprocessing.get_context("spawn")
    with (
        _single_threaded(),
        ProcessPoolExecutor(workers, spawn, _start, (config, made, folder)) as pool,
    ):
        try:
            for done in as_completed([pool.submit(render, task) for task in tasks]):
                yield done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _start(config: SynthConfig, made: Sequence[Plate], folder: Path) -> None:
    end_with_parent()
    start_worker(config, made, folder)


def generate(config: SynthConfig, out: Path, progress: Progress | None = None) -> PackedStore:
    """Writes the set that `config` describes to the new folder `out` and opens it.

    With more than one worker the caller's main module is imported by each, as multiprocessing's spawn does:
    call it under `if __name__ == "__main__":`. Raises the store's errors (OutputExists, DiskFull).
    """
    tasks = [Task(i, key) for i, key in enumerate(clip_keys(config))]
    made = plates(config.scene_size, config.zoom)
    total = len(tasks) * config.frames * len(made)
    writer = PackedStoreWriter(
        out,
        cameras=[view.contract() for view in views(config.stored_size, config.zoom)],
        plates=_stored_plates(config, tasks, made),
        fps=config.fps,
        seed=config.seed,
        source="synthetic",
        count=total,
        meta=config.model_dump(mode="json", exclude={"workers"}),
        pixels=True,
    )
    with writer:
        done = 0
        for count in _rendered(config, tasks, made, writer.folder):
            done += count
            if progress is not None:
                progress(done, total)
    return PackedStore.open(out)


CHUNK = 512
"""Frames copied at once: bounds memory."""


def generate_redressed(
    config: SynthConfig, outfits: Sequence[str], out: Path, progress: Progress | None = None
) -> PackedStore:
    """The set that `config` describes, once in each outfit, one after the other.

    Rows that show the same moment share subject, sequence, camera and frame, and differ in `outfit` alone.
    Renders each outfit beside `out` first. Raises OutputExists, DiskFull, InputError with fresh outfits.
    """
    if config.fresh_outfits:
        raise InputError(
            found="fresh outfits in a re-dressed set",
            expected="every moment in each of the named outfits",
            remedy="leave out fresh_outfits",
        )
    with partial_folder(out.with_name(f"{out.name}-outfits")) as scratch:
        stores = [
            generate(config.model_copy(update={"outfit": outfit}), scratch / outfit, progress)
            for outfit in outfits
        ]
        first = stores[0]
        plates = np.concatenate([store.plates for store in stores])
        count = sum(len(store) for store in stores)
        meta = {**first.meta, "outfits": list(outfits)}
        with PackedStoreWriter(
            out,
            cameras=first.cameras,
            plates=plates,
            fps=config.fps,
            seed=config.seed,
            source="synthetic",
            count=count,
            meta=meta,
            pixels=True,
        ) as writer:
            start = 0
            for number, store in enumerate(stores):
                _copy(writer, start, store, number * len(first.plates))
                start += len(store)
    return PackedStore.open(out)


def _copy(writer: PackedStoreWriter, start: int, store: PackedStore, first_plate: int) -> None:
    for begin in range(0, len(store), CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, len(store)))
        columns = {name: getattr(store, name)[rows] for name in COLUMNS.names or ()}
        columns["plate"] = columns["plate"] + first_plate
        writer.write(
            start + begin,
            np.asarray(store.frames[rows]),
            store.silhouettes(rows),
            np.asarray(store.poses[rows]),
            columns,
            None if store.pixels is None else np.asarray(store.pixels[rows]),
        )
