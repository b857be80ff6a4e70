"""Human3.6M as H36M-Toolbox leaves it for multi-view networks: h36m_train.pkl or h36m_validation.pkl, a list
of one record a picture, beside images/s_01_act_02_subact_01_ca_01/s_01_act_02_subact_01_ca_01_000001.jpg.

Copies that go round differ in the names of the fields, in whether joints are in the world or in the camera's
axes, and in whether T is the camera's place or its translation: the reading is taken whose projection lies on
the record's own 2D joints.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera

from .annotation_files import load_arrays
from .calibration import intrinsics
from .catalogue import BrokenAnnotations, Catalogue, NotThisLayout, PictureFiles, View
from .conventions import ACTIONS, CAMERAS, FIRST_ACTION, FPS, FROM_H36M_32, corrupt, seventeen

EXPECTED = "h36m_train.pkl or h36m_validation.pkl beside images/, or in its folder annot"
IMAGE = re.compile(r"(?:images[/\\])?((s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+))[/\\].*?(\d+)\.\w+)")
NAMES: Final = {
    "joints": ("joints_3d_camera", "joint_3d_camera", "joints_3d", "joint_3d", "joints_gt"),
    "pixels": ("joints_2d", "joint_2d", "joints_2d_gt"),
    "camera": ("camera", "camera_param", "cam"),
}
"""What a field is called, the first that is there."""

NEAR = 5.0
"""Pixels within which a projection lies on the 2D joints, in the median."""

Record = Mapping[str, Any]
MISSING = (KeyError, IndexError, TypeError, ValueError, AttributeError)


def read_h36m_toolbox(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """All parts that are there. A clip whose records do not fit is named and left out. extrinsics: not used:
    every record has its own. Raises NotThisLayout, BrokenAnnotations, RefusedPickle."""
    folders = [folder for folder in (source, source / "annot") if folder.is_dir()]
    files = [path for folder in folders for path in sorted(folder.glob("h36m_*.pkl"))]
    if not files:
        raise NotThisLayout(source, "H36M-Toolbox", EXPECTED)
    images = source / "images" if (source / "images").is_dir() else source
    clips: dict[str, dict[int, Record]] = defaultdict(dict)
    for path in files:
        for record in _records(path):
            match = IMAGE.fullmatch(str(record.get("image", "")))
            if match is None:
                found = f"picture {record.get('image')!r}"
                raise BrokenAnnotations(path, found, "s_01_act_02_subact_01_ca_01/…")
            clips[match[2]].setdefault(int(match[7]), record)
    views: list[View] = []
    cameras: dict[str, Camera] = {}
    skipped: list[tuple[str, str]] = []
    for folder, records in sorted(clips.items()):
        try:
            view, camera = _clip(images, [records[number] for number in sorted(records)])
        except MISSING as error:
            skipped.append((folder, f"{type(error).__name__}: {error}"))
            continue
        why = corrupt(view)
        if why is not None:
            skipped.append((view.name, why))
            continue
        cameras.setdefault(camera.name, camera)
        views.append(view)
    return Catalogue(tuple(views), cameras, tuple(skipped), {"extrinsics": "given"})


def _records(path: Path) -> Sequence[Record]:
    found = load_arrays(path)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BrokenAnnotations(path, f"a {type(found).__name__}", "a list of one record a picture")
    return found


def _clip(images: Path, records: Sequence[Record]) -> tuple[View, Camera]:
    """One clip of one camera, its records in the order of time. Raises one of MISSING."""
    match = IMAGE.fullmatch(str(records[0]["image"]))
    assert match is not None  # the caller has seen to it
    subject, action, clip, number = (int(match[group]) for group in (3, 4, 5, 6))
    name = f"S{subject}.{CAMERAS[number - 1]}"
    joints, pixels = (
        seventeen(np.stack([np.asarray(_field(one, what), np.float64) for one in records]), FROM_H36M_32)
        for what in ("joints", "pixels")
    )
    camera, poses = _read_as(name, _field(records[0], "camera"), joints, pixels[..., :2])
    names = [m[1] for one in records if (m := IMAGE.fullmatch(str(one["image"]))) is not None]
    pictures = PictureFiles.of(images, names)
    view = View(
        f"S{subject}",
        ACTIONS[action - FIRST_ACTION],
        str(clip),
        name,
        numbers=pictures.labels - 1,
        pictures=pictures,
        fps=FPS,
        poses=poses,
        joints=pixels[..., :2].astype(np.float32),
    )
    return view, camera


def _field(record: Record, what: str) -> Any:
    name = next((name for name in NAMES[what] if name in record), None)
    if name is None:
        raise KeyError(f"none of {', '.join(NAMES[what])}")
    return record[name]


def _read_as(
    name: str, given: Mapping[str, Any], joints: NDArray[np.floating], pixels: NDArray[np.floating]
) -> tuple[Camera, NDArray[np.float32]]:
    """The camera, and the poses [n, 17, 3] mm in its axes. Raises ValueError where no reading fits."""
    focal = given["f"] if "f" in given else (np.ravel(given["fx"])[0], np.ravel(given["fy"])[0])
    centre = given["c"] if "c" in given else (np.ravel(given["cx"])[0], np.ravel(given["cy"])[0])
    matrix = intrinsics(focal, centre)
    rotation = np.array(given["R"], np.float64).reshape(3, 3)
    place = np.array(given["T"] if "T" in given else given["t"], np.float64).reshape(3)
    points = joints.astype(np.float64)
    fitting = []
    for shift in (-rotation @ place, place):
        for poses in (points, points @ rotation.T + shift):
            if (poses[..., 2] <= 0).any():
                continue
            seen = poses @ matrix.T
            away = np.linalg.norm(seen[..., :2] / seen[..., 2:] - pixels, axis=-1)
            if np.median(away) < NEAR:
                lowest = float(((poses - shift) @ rotation)[..., 2].min())
                fitting.append((abs(lowest), Camera(name, matrix, rotation, shift), poses))
    if not fitting:
        raise ValueError("no reading of R, T and the 3D joints lies on the 2D joints")
    # Joints in the camera's axes fit either way; people stand on the floor, which is the world's z = 0.
    _, camera, poses = min(fitting, key=lambda one: one[0])
    return camera, poses.astype(np.float32)
