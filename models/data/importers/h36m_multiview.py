"""Human3.6M as the UGA and NSD authors packed it: H36M-MultiView-train/ with labels.h5 and
seq_000/cam_00/{img_crop,bg_crop}_000000.png, or full frames img_000000.jpg with bg.jpg.

Crops come with a background crop each, and are the whole stored frame; boxes of full frames are found by
background subtraction, since the convention of `bounding_box_cam` is nowhere told. Actions have no names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera

from .annotation_files import array, has, opened, shaped
from .catalogue import BrokenAnnotations, Catalogue, NotThisLayout, PictureFiles, View
from .conventions import FPS, in_millimetres
from .pictures import picture_size

EXPECTED = "labels.h5 and seq_000/cam_00/, in it or in folders such as H36M-MultiView-train"
KINDS = (
    ("img_crop_{:06d}.png", "bg_crop_{:06d}.png"),
    ("img_crop_{:06d}.jpg", "bg_crop_{:06d}.jpg"),
    ("img_{:06d}.jpg", "bg.jpg"),
    ("img_{:06d}.png", "bg.png"),
)
"""(pictures, their plates): one a picture, or one a folder."""

WORLD_TO_CAMERA = ("extrinsic_rot", "R_world_2_cam", "R_world_in_cam")
CAMERA_TO_WORLD = ("extrinsic_rot_inv", "R_cam_2_world")
INTRINSICS = ("intrinsic_crop", "intrinsic")
GUESSED_FOCAL = 1.145
"""Of the frame's width, where a file has no intrinsics: Human3.6M's cameras."""


def read_h36m_multiview(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """The folder with labels.h5, or all folders in `source` that have one. extrinsics: not used, the layout
    has its own. Raises NotThisLayout, NeedsPackage, BrokenAnnotations."""
    files = [source / "labels.h5"] if (source / "labels.h5").is_file() else sorted(source.glob("*/labels.h5"))
    if not files:
        raise NotThisLayout(source, "H36M-MultiView", EXPECTED)
    views: list[View] = []
    skipped: list[tuple[str, str]] = []
    cameras: dict[str, Camera] = {}
    for path in files:
        labels = _labels(path)
        prefix = f"{path.parent.name} " if len(files) > 1 else ""
        key = np.stack([labels["subj"], labels["seq"], labels["cam"]], axis=1)
        for subject, sequence, camera in np.unique(key, axis=0).tolist():
            rows = np.flatnonzero((key == (subject, sequence, camera)).all(axis=1))
            rows = rows[np.argsort(labels["frame"][rows], kind="stable")]
            name = f"S{subject}.cam_{camera:02d}"
            folder = path.parent / f"seq_{sequence:03d}" / f"cam_{camera:02d}"
            kind = _kind(folder, labels["frame"][rows])
            if kind is None:
                skipped.append(
                    (f"{prefix}S{subject} seq_{sequence:03d} {name}", "none of its pictures is there")
                )
                continue
            pictures = PictureFiles(folder, kind[0], labels["frame"][rows])
            if name not in cameras:
                cameras[name] = _camera(name, labels, rows[0], picture_size(pictures))
            views.append(
                _view(labels, rows, pictures, kind[1], cameras[name], subject, f"{prefix}{sequence:03d}")
            )
    facts = {"extrinsics": "rotations from labels.h5, no positions", "actions": "not named in this layout"}
    return Catalogue(tuple(views), cameras, tuple(skipped), facts)


def _labels(path: Path) -> dict[str, NDArray[Any]]:
    """subj, seq, cam, frame int64 [n]; rotation [n, 3, 3] world → camera; poses float32 [n, 17, 3] mm;
    intrinsics [n, 3, 3] if there are any."""
    with opened(path) as file:
        labels: dict[str, NDArray[Any]] = {}
        for name in ("frame", "seq", "cam", "subj"):
            values = array(file, path, name)
            if values.size != max(values.shape, default=0):
                raise BrokenAnnotations(path, f"{name!r} of shape {list(values.shape)}", "one person a frame")
            labels[name] = values.reshape(-1).astype(np.int64)
        count = len(labels["frame"])
        for name in ("seq", "cam", "subj"):
            shaped(labels[name], (count,), path, name)
        labels["rotation"] = _rotations(file, path, count)
        pose = array(file, path, "3D")
        if pose.ndim == 2:
            pose = shaped(pose, (count, 51), path, "3D").reshape(count, 17, 3)
        labels["poses"] = in_millimetres(shaped(pose, (count, 17, 3), path, "3D"))
        for name in INTRINSICS:
            if has(file, path, name):
                labels["intrinsics"] = shaped(array(file, path, name), (count, 3, 3), path, name)
                break
    return labels


def _rotations(file: Any, path: Path, count: int) -> NDArray[np.float64]:
    for names, inverse in ((WORLD_TO_CAMERA, False), (CAMERA_TO_WORLD, True)):
        for name in names:
            if has(file, path, name):
                found = shaped(array(file, path, name), (count, 3, 3), path, name).astype(np.float64)
                return found.transpose(0, 2, 1) if inverse else found
    raise BrokenAnnotations(path, "no rotation of the cameras", "extrinsic_rot or R_cam_2_world")


def _kind(folder: Path, labels: NDArray[np.int64]) -> tuple[str, str] | None:
    """Which pictures the folder holds, or None where none of the labelled ones is there."""
    for kind in KINDS:
        if any((folder / kind[0].format(int(label))).is_file() for label in labels):
            return kind
    return None


def _camera(name: str, labels: Mapping[str, NDArray[Any]], row: int, size: tuple[int, int] | None) -> Camera:
    """The camera as its first labelled frame has it. Its position is not in this layout: zero."""
    height, width = size or (1, 1)
    if "intrinsics" in labels:
        matrix = labels["intrinsics"][row].astype(np.float64)
        if matrix[0, 0] < 20:  # in units of the picture's side
            matrix = np.diag([width, height, 1.0]) @ matrix
    else:
        focal = GUESSED_FOCAL * width
        matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Camera(name, matrix, labels["rotation"][row], np.zeros(3))


def _view(
    labels: Mapping[str, NDArray[Any]],
    rows: NDArray[np.int64],
    pictures: PictureFiles,
    plate: str,
    camera: Camera,
    subject: int,
    clip: str,
) -> View:
    """Poses are turned from the axes of each frame's rotation to the camera's, which differ where crops were
    re-centred by rotating the camera."""
    turn = camera.rotation @ labels["rotation"][rows].transpose(0, 2, 1)
    poses = np.einsum("nij,nkj->nki", turn, labels["poses"][rows].astype(np.float64)).astype(np.float32)
    crops = "{" in plate
    return View(
        f"S{subject}",
        "unknown",
        clip,
        camera.name,
        numbers=labels["frame"][rows],
        pictures=pictures,
        fps=FPS,
        poses=poses,
        boxes=np.tile(np.array([1, 1, 0, 0], np.float32), (len(rows), 1)) if crops else None,
        plate=PictureFiles(pictures.folder, plate, pictures.labels) if crops else pictures.folder / plate,
    )
