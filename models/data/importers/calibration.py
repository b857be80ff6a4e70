"""Cameras: from published calibration files, or from the poses where a layout lacks them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.models.documents import read_json
from dpa.models.errors import InputError

from .annotation_files import load_arrays
from .catalogue import BrokenAnnotations, MissingCalibration, View


@dataclass(frozen=True)
class Extrinsics:
    """rotation [3, 3] world → camera axes, translation [3] mm: X_cam = rotation·X + translation."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @classmethod
    def of(cls, rotation: ArrayLike, translation: ArrayLike) -> "Extrinsics":
        """Raises ValueError for numbers of another shape."""
        return cls(np.array(rotation, np.float64).reshape(3, 3), np.array(translation, np.float64).reshape(3))

    @classmethod
    def of_pose(cls, axes: ArrayLike, position_mm: ArrayLike) -> "Extrinsics":
        """From the camera's pose in the world: axes [3, 3] camera → world, position [3] mm."""
        rotation = np.array(axes, np.float64).reshape(3, 3).T
        return cls(rotation, -rotation @ np.array(position_mm, np.float64).reshape(3))


Calibration = Mapping[tuple[str, str], Extrinsics]
"""By (subject, camera), such as ("S1", "54138969")."""


def intrinsics(focal: ArrayLike, centre: ArrayLike) -> NDArray[np.float64]:
    """[3, 3] from (fx, fy) and (cx, cy)."""
    fx, fy = np.array(focal, np.float64).reshape(2)
    cx, cy = np.array(centre, np.float64).reshape(2)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def intrinsics_from_points(
    points_mm: NDArray[np.floating], pixels: NDArray[np.floating]
) -> NDArray[np.float64]:
    """[3, 3] that takes points [n, 3] in camera axes to their pixels [n, 2], by least squares.

    From u·z = fx·x + cx·z, as h36m-fetch does it; exact for a pinhole camera without skew.
    """
    points, seen = points_mm.astype(np.float64), pixels.astype(np.float64)
    found = [
        np.linalg.lstsq(points[:, [axis, 2]], seen[:, axis] * points[:, 2], rcond=None)[0] for axis in (0, 1)
    ]
    return intrinsics([f[0] for f in found], [f[1] for f in found])


def rigid_motion(source: NDArray[np.floating], target: NDArray[np.floating]) -> Extrinsics:
    """The rotation and translation that take points [n, 3] to others best in least squares (Kabsch 1976)."""
    a, b = source.astype(np.float64), target.astype(np.float64)
    middle_a, middle_b = a.mean(axis=0), b.mean(axis=0)
    u, _, vt = np.linalg.svd((b - middle_b).T @ (a - middle_a))
    rotation = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return Extrinsics(rotation, middle_b - rotation @ middle_a)


def relative_extrinsics(
    seen: Sequence[Mapping[str, tuple[NDArray[np.int64], NDArray[np.float32]]]], most: int = 100
) -> dict[str, Extrinsics]:
    """Where cameras stand to one another, from the poses that they saw at the same moments.

    seen: for each clip, by camera, frame numbers [n] and absolute poses [n, 17, 3] mm in its axes; of each
    clip at most `most` moments are used. The world's axes become those of the first camera by name. A camera
    that shares no moment with it gets a world of its own: the identity.
    """
    names = sorted({name for clip in seen for name in clip})
    found: dict[str, Extrinsics] = {}
    for name in names:
        pairs = [_shared(clip[names[0]], clip[name], most) for clip in seen if {names[0], name} <= set(clip)]
        points = [np.concatenate(side) for side in zip(*pairs, strict=True)]
        usable = name != names[0] and points and len(points[0])
        found[name] = rigid_motion(*points) if usable else Extrinsics(np.eye(3), np.zeros(3))
    return found


def placed_by_poses(views: Sequence[View]) -> dict[tuple[str, str], Extrinsics]:
    """Each subject's cameras, named S1.54138969, in the axes of the first one."""
    clips: dict[str, dict[tuple[str, str, str], dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for view in views:
        clips[view.subject][view.motion][view.camera.split(".")[1]] = (view.numbers, view.poses)
    return {
        (subject, name): placed
        for subject, motions in clips.items()
        for name, placed in relative_extrinsics(list(motions.values())).items()
    }


def _shared(
    one: tuple[NDArray[np.int64], NDArray[np.float32]],
    other: tuple[NDArray[np.int64], NDArray[np.float32]],
    most: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    _, a, b = np.intersect1d(one[0], other[0], return_indices=True)
    step = max(len(a) // most, 1)
    return one[1][a[::step]].reshape(-1, 3), other[1][b[::step]].reshape(-1, 3)


def read_calibration(path: Path) -> Calibration:
    """A published calibration of Human3.6M, in one of two forms:

    JSON {"extrinsics": {"S1": {"54138969": {"R": [3, 3], "t": [3]}}}}, world → camera, mm (karfly/
    human36m-camera-parameters); or mmpose's `cameras.pkl`, camera → world, metres.
    Raises BrokenAnnotations, RefusedPickle, and InputError where there is no such file.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file", "a calibration file", "check the path given to --extrinsics"
        )
    if path.suffix in (".pkl", ".pickle"):
        return {key: of_mmpose(path, key, value) for key, value in mmpose_cameras(path).items()}
    try:
        subjects = read_json(path)["extrinsics"]
        return {
            (subject, name): Extrinsics.of(camera["R"], camera["t"])
            for subject, cameras in subjects.items()
            for name, camera in cameras.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenAnnotations(
            path,
            f"{type(error).__name__}: {error}",
            '{"extrinsics": {"S1": {"54138969": {"R": 3x3, "t": 3}}}}',
        ) from error


def read_intrinsics(path: Path) -> Mapping[tuple[str, str], NDArray[np.float64]]:
    """Intrinsics [3, 3] of every subject's cameras from the files of `read_calibration`: by camera in
    {"intrinsics": {"54138969": {"calibration_matrix": [3, 3]}}}, or f and c in `cameras.pkl`.
    Raises BrokenAnnotations, RefusedPickle.
    """
    try:
        if path.suffix in (".pkl", ".pickle"):
            return {key: intrinsics(one["f"], one["c"]) for key, one in mmpose_cameras(path).items()}
        document = read_json(path)
        matrices = {
            name: np.array(one["calibration_matrix"], np.float64).reshape(3, 3)
            for name, one in document["intrinsics"].items()
        }
        return {
            (s, name): matrices[name] for s, cameras in document["extrinsics"].items() for name in cameras
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenAnnotations(
            path,
            f"{type(error).__name__}: {error}",
            '{"intrinsics": {"54138969": {"calibration_matrix": 3x3}}}',
        ) from error


def mmpose_cameras(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """`cameras.pkl` by (subject, camera). Raises BrokenAnnotations, RefusedPickle."""
    found = load_arrays(path)
    expected = "{('S1', '54138969'): {'R', 'T', 'f', 'c'}}"
    if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
        raise BrokenAnnotations(path, f"a {type(found).__name__}", expected)
    try:
        return {(str(subject), str(camera)): value for (subject, camera), value in found.items()}
    except (TypeError, ValueError) as error:
        raise BrokenAnnotations(path, str(error), expected) from error


def of_mmpose(path: Path, key: tuple[str, str], camera: Mapping[str, Any]) -> Extrinsics:
    """mmpose's R and T are the camera's pose in the world, metres. Raises BrokenAnnotations."""
    try:
        return Extrinsics.of_pose(camera["R"], np.asarray(camera["T"], np.float64) * 1000)
    except (KeyError, ValueError, TypeError) as error:
        raise BrokenAnnotations(path, f"camera {key}: {error}", "R [3, 3] and T [3]") from error


def calibrated(path: Path, calibration: Calibration, subject: str, camera: str) -> Extrinsics:
    """Raises MissingCalibration."""
    try:
        return calibration[subject, camera]
    except KeyError:
        raise MissingCalibration(path, f"{subject} {camera}") from None
