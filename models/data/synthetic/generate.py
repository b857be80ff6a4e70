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
from typing import TYPE_CHECKING

import numpy as np

from .arrays import Array
from .body import SUBJECTS
from .cameras import views
from .clip import ClipKey, take, true_boxes
from .config import SynthConfig
from .motion.actions import ACTIONS
from .plates import Plate, plates
from .worker import Task, Worker, run, start

if TYPE_CHECKING:
    from dpa.models.data.store import PackedStore

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

__all__ = ["ACTIONS", "SUBJECTS", "Progress", "SynthConfig", "clip_keys", "generate"]

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
    seen_by = views(config.scene_size)
    crops = []
    for task in tasks:
        moment = take(task.key, config.frames, config.fps, config.seed)
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
    with _single_threaded(), ProcessPoolExecutor(workers, spawn, start, (config, made, folder)) as pool:
        try:
            for done in as_completed([pool.submit(run, task) for task in tasks]):
                yield done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def generate(config: SynthConfig, out: Path, progress: Progress | None = None) -> "PackedStore":
    """Writes the set that `config` describes to the new folder `out` and opens it.

    With more than one worker the caller's main module is imported by each, as multiprocessing's spawn does:
    call it under `if __name__ == "__main__":`. Raises the store's errors (OutputExists, DiskFull).
    """
    from dpa.models.data.store_writer import PackedStoreWriter

    tasks = [Task(i, key) for i, key in enumerate(clip_keys(config))]
    made = plates(config.scene_size)
    total = len(tasks) * config.frames * len(made)
    writer = PackedStoreWriter(
        out,
        cameras=[view.contract() for view in views(config.stored_size)],
        plates=_stored_plates(config, tasks, made),
        fps=config.fps,
        seed=config.seed,
        source="synthetic",
        count=total,
        meta=config.model_dump(mode="json", exclude={"workers"}),
    )
    with writer:
        done = 0
        for count in _rendered(config, tasks, made, writer.folder):
            done += count
            if progress is not None:
                progress(done, total)
    from dpa.models.data.store import PackedStore

    return PackedStore.open(out)
