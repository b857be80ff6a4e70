"""What a layout's reader hands over: which clips there are, seen by which cameras, and where their pictures
and annotations lie. Nothing here holds pixels."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera


@dataclass(frozen=True)
class PictureFiles:
    """Numbered picture files: `folder / pattern.format(label)` for each of `labels`, int64 [n]."""

    folder: Path
    pattern: str
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, folder: Path, names: Sequence[str]) -> "PictureFiles":
        """Files `folder / name` that differ in the number before the suffix alone. Raises ValueError."""
        parts = [re.fullmatch(r"(.*?)(\d+)(\.\w+)", name) for name in names]
        found = {(p[1], len(p[2]), p[3]) if p else None for p in parts}
        if len(found) != 1 or None in found:
            raise ValueError(f"names such as {names[0]} and {names[-1]} are not numbered alike")
        ((stem, width, suffix),) = (one for one in found if one)
        stem = stem.replace("{", "{{").replace("}", "}}")
        labels = np.array([int(p[2]) for p in parts if p], np.int64)
        return cls(folder, f"{stem}{{:0{width}d}}{suffix}", labels)

    def path(self, index: int) -> Path:
        return self.folder / self.pattern.format(int(self.labels[index]))

    def take(self, rows: NDArray[np.int64]) -> "PictureFiles":
        return replace(self, labels=self.labels[rows])


@dataclass(frozen=True)
class VideoFile:
    """Frames of a video: `wanted`, int64 [n], ascending, counted from 0 in decoding order."""

    file: Path
    wanted: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> "VideoFile":
        return replace(self, wanted=self.wanted[rows])


Pictures = PictureFiles | VideoFile


@dataclass(frozen=True)
class View:
    """One clip (one motion of one subject) seen by one camera: n frames.

    clip: tells clips of the same subject and action apart. camera: a key of Catalogue.cameras. numbers:
    int64 [n], frame numbers within the clip from 0, ascending. poses: float32 [n, 17, 3] mm in the camera's
    axes, absolute or root-relative; None where nobody knows them. joints: float32 [n, 17, 2] pixels of the
    source picture, from which boxes are made. boxes: float32 [n, 4] θ in the source picture, given. plate:
    a picture of the empty scene, or files of one a frame; None: to be made by temporal median.
    """

    subject: str
    action: str
    clip: str
    camera: str
    numbers: NDArray[np.int64]
    pictures: Pictures
    fps: float
    poses: NDArray[np.float32] | None = None
    joints: NDArray[np.float32] | None = None
    boxes: NDArray[np.float32] | None = None
    plate: Path | PictureFiles | None = None

    @property
    def name(self) -> str:
        """What a person calls it: S1 Directions 1 54138969."""
        return " ".join(part for part in (self.subject, self.action, self.clip, self.camera) if part)

    @property
    def motion(self) -> tuple[str, str, str]:
        """What the cameras that saw the same clip have in common."""
        return self.subject, self.action, self.clip

    def take(self, rows: NDArray[np.int64]) -> "View":
        """The view with these of its frames only."""
        plate = self.plate.take(rows) if isinstance(self.plate, PictureFiles) else self.plate
        return replace(
            self,
            numbers=self.numbers[rows],
            pictures=self.pictures.take(rows),
            poses=None if self.poses is None else self.poses[rows],
            joints=None if self.joints is None else self.joints[rows],
            boxes=None if self.boxes is None else self.boxes[rows],
            plate=plate,
        )


@dataclass(frozen=True)
class Catalogue:
    """All views of a source, its cameras (intrinsics in pixels of the source pictures), the views that are
    left out with the reason, and facts to be kept in the store's manifest."""

    views: tuple[View, ...]
    cameras: Mapping[str, Camera]
    skipped: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)

    def frames(self) -> int:
        return sum(len(view.numbers) for view in self.views)

    def only(self, subjects: tuple[str, ...] | None, every: int) -> "Catalogue":
        """The views of these subjects (None: all), with the frames whose number is a multiple of `every`."""
        return replace(self, views=tuple(self._chosen(subjects, every)))

    def _chosen(self, subjects: tuple[str, ...] | None, every: int) -> Iterator[View]:
        for view in self.views:
            if subjects is None or view.subject in subjects:
                rows = np.flatnonzero(view.numbers % every == 0)
                if len(rows):
                    yield view if len(rows) == len(view.numbers) else view.take(rows)
