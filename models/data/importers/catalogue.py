"""What a layout's reader hands over, and what can keep an import from being done.

A catalogue says which clips there are, seen by which cameras, and where their pictures and annotations lie.
Nothing here holds pixels.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.models.data.contract import Camera
from dpa.models.errors import DpaError, InputError


class NotThisLayout(InputError):
    """The source folder is not there, or holds nothing of the layout."""

    def __init__(self, source: Path, layout: str, expected: str) -> None:
        super().__init__(
            found=f"{source}: " + ("no such folder" if not source.exists() else f"nothing of {layout}"),
            expected=expected,
            remedy="check the path, and see dpa-engine data import --help for the layouts",
        )


class BrokenAnnotations(InputError):
    """An annotation file cannot be read, lacks a field, or a field has the wrong shape."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(
            found=f"{path}: {found}", expected=expected, remedy="copy or make this annotation file again"
        )


class MissingCalibration(InputError):
    """A camera of the data is not in the calibration."""

    def __init__(self, path: Path, camera: str) -> None:
        super().__init__(
            found=f"{path} does not calibrate camera {camera}",
            expected="every camera that has pictures",
            remedy="give the file of the whole data set, or leave its subject out with --subjects",
        )


class RefusedPickle(InputError):
    """A pickle asks for something other than arrays, numbers, names and plain containers."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            found=f"{path}: {found}",
            expected="a pickle of NumPy arrays and plain containers; nothing else in it is ever run",
            remedy="get the file again from where the data set came from, and do not open it elsewhere",
        )


class NothingToImport(InputError):
    """Every clip was skipped or every picture quarantined, or a filter left nothing."""

    def __init__(self, source: Path, found: str) -> None:
        super().__init__(
            found=f"{source}: {found}",
            expected="at least one readable picture with its annotation",
            remedy="see the quarantine list beside the output, and check --subjects and --every",
        )


class OtherImport(InputError):
    """The unfinished import that is to be resumed was of other data or had other options."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            found=f"{folder} holds an unfinished import of other data or with other options",
            expected="the same source and options as when it began",
            remedy="give those, choose another --out, or remove that folder to begin anew",
        )


class ImportRunning(InputError):
    """Another process is importing to the same place."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            found=f"another import is writing to {folder}",
            expected="one import at a time for one output",
            remedy="wait for it, or choose another --out",
        )


class ReaderLost(DpaError):
    """A process that read pictures ended of itself: the system took its memory back, or a decoder crashed."""

    def __init__(self, underway: Sequence[str]) -> None:
        super().__init__(
            "a process that read pictures was killed or crashed, at one of: "
            + ", ".join(underway)
            + "\n  kept:  every clip finished before it\n"
            "  to do: run the command again, with fewer --workers if memory was short; if it stops at the "
            "same clip again, take that one's files away"
        )


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
class Lens:
    """How a camera bends straight lines, as OpenCV has it. matrix: the nine intrinsics in pixels of the film;
    distortion: k1, k2, p1, p2, k3, … or, of a fisheye, k1 to k4."""

    matrix: tuple[float, ...]
    distortion: tuple[float, ...]
    fisheye: bool

    @classmethod
    def of(cls, matrix: ArrayLike, distortion: ArrayLike, *, fisheye: bool) -> "Lens":
        """From arrays of any shape."""
        flat = [tuple(np.asarray(one, np.float64).reshape(-1).tolist()) for one in (matrix, distortion)]
        return cls(flat[0], flat[1], fisheye)


@dataclass(frozen=True)
class VideoFile:
    """Frames of a film: `wanted`, int64 [n], ascending, counted from 0 in the order they are shown. lens:
    whose distortion is to be removed, with the focal length kept."""

    file: Path
    wanted: NDArray[np.int64]
    lens: "Lens | None" = None

    def take(self, rows: NDArray[np.int64]) -> "VideoFile":
        return replace(self, wanted=self.wanted[rows])


Pictures = PictureFiles | VideoFile


@dataclass(frozen=True)
class View:
    """One clip (one motion of one subject) seen by one camera: n frames.

    clip: tells clips of the same subject and action apart. camera: a key of Catalogue.cameras. numbers:
    int64 [n], frame numbers within the clip from 0, ascending. poses: float32 [n, 17, 3] mm in the camera's
    axes, absolute or root-relative; None where nobody knows them. joints: float32 [n, 17, 2] pixels of the
    source picture, from which boxes are made. boxes: float32 [n, 4] θ in the source picture, given. times:
    float64 [n] seconds since the clip began; None: numbers over fps. plate: a picture of the empty scene, or
    files of one a frame; None: to be made by temporal median. masks: pictures of where the person is (white
    on black), one a frame; None: found by what differs from the plate.
    outfit: what is worn, where a subject changes clothes between clips; None: the subject's name. stand:
    tells the clips apart between which the camera was moved; the others of a subject share a plate.
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
    times: NDArray[np.float64] | None = None
    plate: Path | PictureFiles | None = None
    masks: Pictures | None = None
    outfit: str | None = None
    stand: str = ""

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
            times=None if self.times is None else self.times[rows],
            plate=plate,
            masks=None if self.masks is None else self.masks.take(rows),
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
