"""Renders clips into a store under construction. Kept apart from `generate` so that a process that only
renders imports neither torch nor pyarrow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpa.models.data.store_maps import StoreMaps

from .clip import ClipKey, film
from .config import SynthConfig
from .picture import Stage, stages
from .plates import Plate


@dataclass(frozen=True)
class Task:
    """One clip and its number in the store."""

    sequence: int
    key: ClipKey


@dataclass(frozen=True)
class Worker:
    """What it takes to render any clip of a set: its configuration, the cameras, the store's folder."""

    config: SynthConfig
    cameras: Sequence[Stage]
    folder: Path

    @classmethod
    def of(cls, config: SynthConfig, plates: Sequence[Plate], folder: Path) -> "Worker":
        return cls(config, stages(plates), folder)

    def run(self, task: Task) -> int:
        """Renders a clip into its range of the store; returns the number of images."""
        c = self.config
        images = film(task.key, c.frames, c.fps, c.seed, self.cameras, c.supersample, c.crop_size)
        count = len(images.frames)
        start = task.sequence * count
        columns = {
            "subject": task.key.subject,
            "action": task.key.action,
            "outfit": task.key.outfit,
            "sequence": task.sequence,
            "camera": images.camera,
            "plate": images.camera if c.crop_size is None else start + np.arange(count),
            "frame": images.frame,
            "time": images.time,
            "box": images.boxes,
        }
        # Opened anew for each clip: pages of a map that stays open count as the worker's memory.
        store = StoreMaps(self.folder)
        store.write(start, images.frames, images.silhouettes, images.poses, columns)
        return count


_worker: Worker | None = None  # one per process


def start(config: SynthConfig, plates: Sequence[Plate], folder: Path) -> None:
    """Prepares this process; see `run`."""
    global _worker  # noqa: PLW0603  # a process pool offers no other place for what its initialiser makes
    _worker = Worker.of(config, plates, folder)


def run(task: Task) -> int:
    """Renders one clip in a process prepared by `start`."""
    assert _worker is not None
    return _worker.run(task)
