"""Generates a packed store of synthetic people, clip by clip, on any number of processes.

Every clip owns a range of the store and its own random numbers, so neither the order nor the process that
renders it changes a byte.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpa.models.data.store import PackedStore
from dpa.models.data.store_maps import StoreMaps
from dpa.models.data.store_writer import PackedStoreWriter

from .body import SUBJECTS
from .cameras import views
from .clip import ClipKey, film
from .config import SynthConfig
from .motion.actions import ACTIONS
from .picture import Stage, stages
from .plates import Plate, plates

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

__all__ = ["ACTIONS", "SUBJECTS", "Progress", "SynthConfig", "clip_keys", "generate"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class _Task:
    sequence: int
    key: ClipKey


@dataclass(frozen=True)
class _Worker:
    """What a process needs to render any clip of the set."""

    config: SynthConfig
    cameras: Sequence[Stage]
    store: StoreMaps

    def run(self, task: _Task) -> int:
        """Renders a clip into its range of the store; returns the number of images."""
        c = self.config
        images = film(task.key, c.frames, c.fps, c.seed, self.cameras, c.supersample)
        columns = {
            "subject": task.key.subject,
            "action": task.key.action,
            "outfit": task.key.outfit,
            "sequence": task.sequence,
            "camera": images.camera,
            "plate": images.camera,
            "frame": images.frame,
            "time": images.time,
            "box": images.boxes,
        }
        count = len(images.frames)
        self.store.write(task.sequence * count, images.frames, images.silhouettes, images.poses, columns)
        return count


_worker: _Worker | None = None  # one per process, set by _start


def _start(config: SynthConfig, made: Sequence[Plate], folder: Path) -> None:
    global _worker
    _worker = _Worker(config, stages(made), PackedStoreWriter.attach(folder))


def _run(task: _Task) -> int:
    assert _worker is not None
    return _worker.run(task)


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


def _rendered(config: SynthConfig, tasks: list[_Task], made: Sequence[Plate], folder: Path) -> Iterator[int]:
    """Runs the tasks; yields the number of images of each as it ends."""
    workers = min(config.workers, len(tasks))
    if workers == 1:
        here = _Worker(config, stages(made), PackedStoreWriter.attach(folder))
        yield from map(here.run, tasks)
        return
    spawn = multiprocessing.get_context("spawn")
    with _single_threaded(), ProcessPoolExecutor(workers, spawn, _start, (config, made, folder)) as pool:
        for done in as_completed([pool.submit(_run, task) for task in tasks]):
            yield done.result()


def generate(config: SynthConfig, out: Path, progress: Progress | None = None) -> PackedStore:
    """Writes the set that `config` describes to the new folder `out` and opens it.

    Raises UnknownName (from SynthConfig) and the store's errors (OutputExists, DiskFull).
    """
    tasks = [_Task(i, key) for i, key in enumerate(clip_keys(config))]
    made = plates(config.size)
    total = len(tasks) * config.frames * len(made)
    writer = PackedStoreWriter(
        out,
        cameras=[view.contract() for view in views(config.size)],
        plates=np.stack([plate.image for plate in made]),
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
    return PackedStore.open(out)
