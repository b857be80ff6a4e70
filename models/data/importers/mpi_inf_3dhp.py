"""MPI-INF-3DHP: S1/Seq1/ with annot.mat, camera.calibration and imageSequence/video_0.avi to train on, TS1/
with annot_data.mat (HDF5) and imageSequence/img_000001.jpg to test on.

The films may be there as extracted frames instead, in the three spellings that are about (FRAMES), and masks
of the person beside them (FGmasks). People change clothes between Seq1 and Seq2, and cameras end early.

Joints are 28 (train) or 17 (test) in mm in the camera's axes. The test cameras' intrinsics follow from the
2D and 3D joints; their place in the world is not given, and each is the only one of its clip.
"""

import multiprocessing
import re
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera
from dpa.models.data.films import film_facts
from dpa.models.errors import NeedsPackage

from .annotation_files import array, opened, shaped
from .calibration import intrinsics_from_points
from .catalogue import (
    BrokenAnnotations,
    Catalogue,
    NotThisLayout,
    PictureFiles,
    VideoFile,
    View,
)
from .conventions import FROM_MPI_17, FROM_MPI_28, seventeen
from .pictures import reason

EXPECTED = "S1/Seq1/annot.mat and its like or TS1/annot_data.mat, in it or in its folders train and test"
TEST_FPS = 25.0
"""Assumed: the test pictures do not tell, and the films are of 25 or 50 a second."""

ACTION = "unknown"
TEST_SET = "mpi_inf_3dhp_test_set"
"""Its archive unpacks into a folder of its own name, often inside one."""

FRAMES = (
    ("imageSequence/video_{0}", r"(?:img|frame)_\d+\.(?:jpg|png)"),
    ("imageFrames/video_{0}", r"(?:img|frame)_\d+\.(?:jpg|png)"),
    ("imageSequence", r"(?:img|frame)_{0}_\d+\.(?:jpg|png)"),
)
"""Folder and names of a camera's extracted frames, numbered from 1: as in the guides of MargiPose, of SPIN,
and of the data set itself."""

PLACES = ("imageSequence", "imageFrames")

EXTRACTED_FPS = 25.0
"""Assumed for extracted frames, which do not tell."""


def read_mpi_inf_3dhp(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """Whatever of the training and the test sequences is there. extrinsics: not used, the layout has its own.

    A sequence whose annotations cannot be read is skipped and named. Raises NotThisLayout, NeedsPackage.
    """
    roots = [source, *(source / name for name in ("train", "test", TEST_SET, f"{TEST_SET}/{TEST_SET}"))]
    training = [path for root in roots for path in sorted(root.glob("S*/Seq*")) if path.is_dir()]
    testing = [path for root in roots for path in sorted(root.glob("TS*")) if path.is_dir()]
    if not training and not testing:
        raise NotThisLayout(source, "MPI-INF-3DHP", EXPECTED)
    views: list[View] = []
    cameras: dict[str, Camera] = {}
    skipped: list[tuple[str, str]] = []
    for read, folders in ((_training, training), (_testing, testing)):
        for folder in folders:
            try:
                found, lenses, left_out = read(folder)
            except BrokenAnnotations as error:
                skipped.append((_name(folder), error.found))
                continue
            views += found
            skipped += left_out
            cameras.update(lenses)
    return Catalogue(tuple(views), cameras, tuple(skipped), {"extrinsics": "from camera.calibration"})


Found = tuple[list[View], dict[str, Camera], list[tuple[str, str]]]


def _name(folder: Path) -> str:
    return f"{folder.parent.name} {folder.name}" if folder.name.startswith("Seq") else folder.name


def _training(folder: Path) -> Found:
    """One sequence of the training set: every video that there is."""
    subject, clip = folder.parent.name, folder.name
    poses, pixels = _annotations(folder / "annot.mat")
    lenses = _calibration(folder / "camera.calibration", f"{subject}.{clip}")
    views: list[View] = []
    skipped: list[tuple[str, str]] = []
    for number in sorted(poses):
        name = f"{subject}.{clip}.video_{number}"
        try:
            source = _pictures(folder, number)
        except NeedsPackage:
            raise
        except Exception as error:  # PyAV raises anything for bad bytes
            skipped.append((name, reason(error)))
            continue
        if source is None:
            continue
        if number not in lenses or number not in pixels:
            skipped.append((name, "not in camera.calibration or annot2"))
            continue
        annotated = min(len(poses[number]), len(pixels[number]))
        kept = np.flatnonzero(source.numbers < annotated)
        rows = source.numbers[kept]
        if len(rows) == 0:
            skipped.append((name, "no frame is annotated"))
            continue
        views.append(
            View(
                subject,
                ACTION,
                clip,
                name,
                numbers=rows,
                pictures=source.pictures.take(kept),
                fps=source.fps,
                times=None if source.times is None else source.times[kept],
                poses=seventeen(poses[number][rows], FROM_MPI_28),
                joints=seventeen(pixels[number][rows], FROM_MPI_28),
                masks=_masks(folder / "FGmasks", number, rows),
                outfit=f"{subject} {clip}",
            )
        )
    skipped += _unread(folder, {number for number in poses if _told(number, views, skipped)}, bool(views))
    used = {view.camera for view in views}
    return views, {lens.name: lens for lens in lenses.values() if lens.name in used}, skipped


def _told(number: int, views: list[View], skipped: list[tuple[str, str]]) -> bool:
    """Whether a camera was read or named."""
    return any(name.endswith(f".video_{number}") for name in [*(v.camera for v in views), *dict(skipped)])


def _unread(folder: Path, told: set[int], some: bool) -> list[tuple[str, str]]:
    """What lies where films and frames are looked for, and is neither: named, so that nothing vanishes."""
    entries = [entry for name in PLACES if (folder / name).is_dir() for entry in (folder / name).iterdir()]
    numbered = [(re.match(r"video_(\d+)", entry.name), entry) for entry in sorted(entries)]
    left = [str(entry) for match, entry in numbered if match and int(match[1]) not in told]
    if not some and not left and not told:
        left = [str(folder / PLACES[0])]
    expected = "no annotated camera's video_0.avi, and no frames named as img_000001.jpg, frame_000001.jpg or"
    return [(name, f"{expected} img_0_000001.jpg") for name in left]


@dataclass(frozen=True)
class Source:
    """A camera's film or extracted frames: numbers [n] from 0, ascending, and where they are; times as in
    View."""

    numbers: NDArray[np.int64]
    pictures: VideoFile | PictureFiles
    fps: float
    times: NDArray[np.float64] | None = None


def _pictures(folder: Path, number: int) -> Source | None:
    """A camera's film, else its extracted frames, else None. Raises whatever PyAV raises for a film."""
    video = folder / "imageSequence" / f"video_{number}.avi"
    if video.is_file():
        film = film_facts(video)
        frames = np.arange(len(film.times))
        return Source(frames, VideoFile(video, frames), film.fps, film.times)
    for inside, pattern in FRAMES:
        files = _numbered(folder / inside.format(number), pattern.format(number))
        if files is not None:
            return Source(files.labels - 1, files, EXTRACTED_FPS)
    return None


def _numbered(folder: Path, pattern: str) -> PictureFiles | None:
    """The files in the folder whose whole names fit the pattern, by number; None where there is none."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    names = [name for name in names if re.fullmatch(pattern, name)]
    if not names:
        return None
    files = PictureFiles.of(folder, names)
    return files.take(np.argsort(files.labels))


def _masks(folder: Path, number: int, rows: NDArray[np.int64]) -> VideoFile | PictureFiles | None:
    """The person's masks of these frames: a film, or one picture each; None where they are not all there."""
    video = folder / f"video_{number}.avi"
    if video.is_file():
        return VideoFile(video, rows)
    files = _numbered(folder / f"video_{number}", r"(?:img|frame)_\d+\.(?:jpg|png)")
    if files is None or not set((rows + 1).tolist()) <= set(files.labels.tolist()):
        return None
    return files.take(np.searchsorted(files.labels, rows + 1))


def _annotations(path: Path) -> tuple[Mapping[int, NDArray[np.float64]], Mapping[int, NDArray[np.float64]]]:
    """annot3 and annot2 by camera: [n, 28, 3] mm and [n, 28, 2] pixels.

    Read in a process of its own: SciPy's reader can crash on damaged bytes, and would take the import along.
    """
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            cells = pool.submit(_cells, path, ("annot3", "annot2")).result()
        found = [
            {number: cell.reshape(-1, 28, axes) for number, cell in cells[f"annot{axes}"].items()}
            for axes in (3, 2)
        ]
    except Exception as error:  # SciPy raises anything for bad bytes
        expected = "annot3 and annot2: a cell a camera of [n, 84] and [n, 56]"
        raise BrokenAnnotations(path, reason(error), expected) from error
    if not all(np.isfinite(cell).all() for cells in found for cell in cells.values()):
        raise BrokenAnnotations(path, "joints that are no finite numbers", "finite ones")
    return found[0], found[1]


def _cells(path: Path, names: tuple[str, ...]) -> dict[str, dict[int, NDArray[np.float64]]]:
    """MATLAB cell arrays: for each name, what is in the cells that are not empty, by number."""
    from scipy.io import loadmat

    loaded = loadmat(path, variable_names=names)
    return {
        name: {
            number: np.asarray(cell, np.float64)
            for number, cell in enumerate(loaded[name].reshape(-1))
            if np.size(cell)
        }
        for name in names
    }


def _calibration(path: Path, prefix: str) -> dict[int, Camera]:
    """Cameras by number. intrinsic and extrinsic are 4x4; the latter takes the world to the camera, mm."""
    try:
        text = path.read_text()
        blocks = re.split(r"^\s*name\s+", text, flags=re.MULTILINE)[1:]
        cameras = {}
        for block in blocks:
            number = int(block.split()[0])
            fields = dict(re.findall(r"^\s*(\w+)\s+(.*)$", block, flags=re.MULTILINE))
            inside, outside = (
                np.array(fields[name].split(), np.float64).reshape(4, 4)
                for name in ("intrinsic", "extrinsic")
            )
            cameras[number] = Camera(
                f"{prefix}.video_{number}", inside[:3, :3], outside[:3, :3], outside[:3, 3]
            )
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BrokenAnnotations(path, reason(error), "a Skeletool camera calibration file") from error
    return cameras


def _testing(folder: Path) -> Found:
    """One sequence of the test set: its valid frames."""
    path = folder / "annot_data.mat"
    with opened(path) as file:
        valid = array(file, path, "valid_frame").reshape(-1)
        count = len(valid)
        poses = _people(file, path, "annot3", count, 3)
        pixels = _people(file, path, "annot2", count, 2)
    rows = np.flatnonzero(valid)
    if len(rows) == 0:
        raise BrokenAnnotations(path, "no valid frame", "some")
    lens = Camera(
        f"{folder.name}.camera",
        intrinsics_from_points(poses[rows].reshape(-1, 3), pixels[rows].reshape(-1, 2)),
        np.eye(3),
        np.zeros(3),
    )
    view = View(
        folder.name,
        ACTION,
        "",
        lens.name,
        numbers=rows,
        pictures=PictureFiles(folder / "imageSequence", "img_{:06d}.jpg", rows + 1),
        fps=TEST_FPS,
        poses=seventeen(poses[rows], FROM_MPI_17),
        joints=seventeen(pixels[rows], FROM_MPI_17),
    )
    return [view], {lens.name: lens}, []


def _people(file: Any, path: Path, name: str, count: int, axes: int) -> NDArray[np.float64]:
    """[n, 17, axes] of [n, 1, 17, axes], either way round."""
    found = shaped(array(file, path, name), (count, 1, 17, axes), path, name)
    return found[:, 0].astype(np.float64)
