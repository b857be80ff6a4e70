"""Human3.6M's original films: S1/Videos/Directions 1.54138969.mp4, with their poses from the download's own
CDF files, or from VideoPose3D's data_3d_h36m.npz.

CDF: D3_Positions_mono (32 joints, mm, in the camera's axes) and D2_Positions (pixels), from which intrinsics
follow; extrinsics come from a file, or from the poses that the cameras share. The npz has the 32 joints in
the world, in metres, once for all cameras: it needs a calibration file that tells intrinsics too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera
from dpa.models.data.films import film_facts
from dpa.models.errors import InputError, NeedsPackage

from .annotation_files import load_object
from .calibration import (
    calibrated,
    intrinsics_from_points,
    placed_by_poses,
    read_calibration,
    read_intrinsics,
)
from .catalogue import BrokenAnnotations, Catalogue, NotThisLayout, VideoFile, View
from .conventions import FROM_H36M_32, action_and_clip, breaks_off, seventeen
from .pictures import reason

EXPECTED = "S1/Videos/Directions 1.54138969.mp4 and its like, in it or in its folder `extracted`"
NPZ = "data_3d_h36m.npz"
PLACES = ("MyPoseFeatures/{0}", "Poses_{0}", "{0}")
"""Where a subject's CDF files lie: in the download, as h36m-fetch unpacks it, and by hand."""

ENOUGH = 200
"""Frames that intrinsics are fitted to."""


@dataclass(frozen=True)
class Film:
    """One film, and what its name tells."""

    path: Path
    subject: str
    spelled: str
    camera: str

    @property
    def key(self) -> tuple[str, str]:
        return self.subject, self.camera

    @property
    def name(self) -> str:
        return f"{self.subject} {self.spelled} {self.camera}"


def read_h36m_raw(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """The films with the CDF files beside them. A film whose poses cannot be read is named and left out.

    Raises NotThisLayout, NeedsPackage, and what `read_calibration` raises.
    """
    known = None if extrinsics is None else read_calibration(extrinsics)
    views: list[View] = []
    skipped: list[tuple[str, str]] = []
    matrices: dict[tuple[str, str], NDArray[np.float64]] = {}
    for film in _films(source):
        try:
            poses, pixels = (
                _cdf(film, kind, axes) for kind, axes in (("D3_Positions_mono", 3), ("D2_Positions", 2))
            )
            count = min(len(poses), len(pixels))
            view = _view(film, poses[:count], pixels[:count])
        except (BrokenAnnotations, ValueError) as error:
            skipped.append((film.name, error.found if isinstance(error, InputError) else str(error)))
            continue
        views.append(view)
        if film.key not in matrices:
            some = slice(None, None, max(count // ENOUGH, 1))
            points, seen = (one[some].reshape(-1, one.shape[-1]) for one in (poses[:count], pixels[:count]))
            matrices[film.key] = intrinsics_from_points(points, seen)
    if known is None:
        placed = placed_by_poses(views)
    else:
        assert extrinsics is not None
        placed = {key: calibrated(extrinsics, known, *key) for key in matrices}
    cameras = {
        ".".join(key): Camera(".".join(key), matrix, placed[key].rotation, placed[key].translation)
        for key, matrix in matrices.items()
    }
    facts = {"extrinsics": "from the shared poses" if known is None else "from a published file"}
    return Catalogue(tuple(views), cameras, tuple(skipped), facts)


def read_h36m_videopose(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """The films with data_3d_h36m.npz in `source`. extrinsics: a file that tells every camera's intrinsics
    and place (the JSON that goes round, or mmpose's cameras.pkl).

    Raises NotThisLayout, NeedsPackage, BrokenAnnotations, RefusedPickle, MissingCalibration, and InputError
    without a calibration file.
    """
    path = source / NPZ
    if not path.is_file():
        raise NotThisLayout(source, "VideoPose3D's Human3.6M", f"{NPZ} beside {EXPECTED}")
    if extrinsics is None:
        raise InputError(
            found=f"{NPZ}, whose poses are in the world, and no cameras",
            expected="a calibration file with intrinsics and extrinsics",
            remedy="give it with --extrinsics FILE",
        )
    positions = load_object(path, "positions_3d")
    if not isinstance(positions, dict) or not all(isinstance(one, dict) for one in positions.values()):
        raise BrokenAnnotations(path, "positions_3d of another kind", "positions_3d[S1][Directions 1]")
    placed, lenses = read_calibration(extrinsics), read_intrinsics(extrinsics)
    views: list[View] = []
    skipped: list[tuple[str, str]] = []
    cameras: dict[str, Camera] = {}
    for film in _films(source):
        name = ".".join(film.key)
        if name not in cameras:
            place = calibrated(extrinsics, placed, *film.key)
            cameras[name] = Camera(name, lenses[film.key], place.rotation, place.translation)
        world = _spelled(positions.get(film.subject, {}), film)
        if world is None or world.ndim != 3 or world.shape[1:] != (32, 3):
            skipped.append((film.name, f"no poses [n, 32, 3] of it in {NPZ}"))
            continue
        try:
            seen = cameras[name].to_camera(world.astype(np.float64) * 1000)
            pixels = seen @ cameras[name].intrinsics.T
            views.append(_view(film, seen, pixels[..., :2] / pixels[..., 2:]))
        except ValueError as error:
            skipped.append((film.name, str(error)))
    return Catalogue(tuple(views), cameras, tuple(skipped), {"extrinsics": "from a published file"})


def _films(source: Path) -> Iterator[Film]:
    """In the order of subjects and names. Raises NotThisLayout where there is none."""
    root = source / "extracted" if (source / "extracted").is_dir() else source
    found = []
    for path in sorted(root.glob("S*/Videos/*.mp4")):
        match = re.fullmatch(r"(.+)\.(\d{8})\.mp4", path.name)
        if match and not match[1].startswith("_") and re.fullmatch(r"S\d+", path.parent.parent.name):
            found.append(Film(path, path.parent.parent.name, match[1], match[2]))
    if not found:
        raise NotThisLayout(source, "Human3.6M's films", EXPECTED)
    yield from sorted(found, key=lambda film: (int(film.subject[1:]), film.spelled, film.camera))


def _view(film: Film, poses: NDArray[np.floating], pixels: NDArray[np.floating]) -> View:
    """Poses [n, 32, 3] mm in the camera's axes, pixels [n, 32, 2]. Raises ValueError for a film that cannot
    be read, or breaks off."""
    try:
        facts = film_facts(film.path)
    except NeedsPackage:
        raise
    except Exception as error:  # PyAV raises anything for bad bytes
        raise ValueError(reason(error)) from error
    action, clip = action_and_clip(film.spelled)
    why = breaks_off(len(facts.times), len(poses))
    if why is not None:
        raise ValueError(why)
    rows = np.arange(len(poses))
    times = rows / facts.fps
    times[: len(facts.times)] = facts.times[: len(rows)]
    return View(
        film.subject,
        action,
        clip,
        ".".join(film.key),
        numbers=rows,
        pictures=VideoFile(film.path, rows),
        fps=facts.fps,
        times=times,
        poses=seventeen(poses, FROM_H36M_32),
        joints=seventeen(pixels, FROM_H36M_32),
    )


def _cdf(film: Film, kind: str, axes: int) -> NDArray[np.float64]:
    """The joints [n, 32, axes] of a film's CDF file. Raises BrokenAnnotations, NeedsPackage."""
    subject = film.path.parent.parent
    names = [subject / place.format(kind) / f"{film.spelled}.{film.camera}.cdf" for place in PLACES]
    path = next((name for name in names if name.is_file()), names[0])
    try:
        import cdflib
    except ImportError as error:
        raise NeedsPackage("cdflib") from error
    try:
        found = np.asarray(cdflib.CDF(str(path)).varget("Pose"), np.float64).reshape(-1, 32, axes)
    except Exception as error:  # cdflib raises anything for bad bytes
        raise BrokenAnnotations(path, reason(error), f"Pose of [1, n, {32 * axes}]") from error
    if not len(found) or not np.isfinite(found).all():
        raise BrokenAnnotations(path, "no joints, or such that are no finite numbers", "finite ones")
    return found


def _spelled(actions: Mapping[str, NDArray[np.floating]], film: Film) -> NDArray[np.floating] | None:
    """The action's poses, whichever way it is spelled."""
    wanted = action_and_clip(film.spelled)
    return next((poses for name, poses in actions.items() if action_and_clip(name) == wanted), None)
