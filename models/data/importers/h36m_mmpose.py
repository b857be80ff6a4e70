"""Human3.6M as mmpose prepares it: images/S1/S1_Directions_1.54138969/…_000001.jpg beside annotation_body3d/
with cameras.pkl and fps10/h36m_{train,test}.npz.

Pictures are numbered from 1 and skip four of five frames; poses are 17 joints in metres in the camera's axes;
boxes are given as centre and side/200; R and T in cameras.pkl are the camera's pose in the world.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera

from .calibration import intrinsics, mmpose_cameras, of_mmpose
from .catalogue import BrokenAnnotations, Catalogue, MissingCalibration, NotThisLayout, PictureFiles, View
from .conventions import FPS, action_and_clip, corrupt, from_corners, in_millimetres

EXPECTED = "images/ and annotation_body3d/ with cameras.pkl and fps10/h36m_train.npz or h36m_test.npz"
FOLDER = re.compile(r"(S\d+)[/\\](S\d+)_(.+)\.(\d+)[/\\](.+)")
Table = dict[str, NDArray[Any]]

LOOKED_AT = 200
"""Pictures whose presence tells which of several fps folders belongs to them,"""

MOST = 0.5
"""and the share of them above which no slower one is looked at."""

UNIT = 200.0
"""Pixels that a scale of 1 stands for (mmpose, preprocess_h36m)."""


def read_h36m_mmpose(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """What mmpose's preprocess_h36m made. extrinsics: another cameras.pkl than the tree's own.

    Of several fps folders the one with most frames a second is taken whose pictures are there. mmpose's guide
    leaves its own input (h36m_train_original.npz) beside its output: it is read only where the other is not
    there. A part that cannot be read costs its own frames only, and is named. Raises NotThisLayout,
    BrokenAnnotations where no part can be read, RefusedPickle, MissingCalibration.
    """
    root = source / "processed" if (source / "processed").is_dir() else source
    tables, skipped = _tables(source, root)
    calibration = extrinsics or root / "annotation_body3d" / "cameras.pkl"
    known = mmpose_cameras(calibration)
    views: list[View] = []
    cameras: dict[str, Camera] = {}
    for path, table in tables.items():
        for name, rows in _by_folder(path, table["imgname"]):
            subject, spelled, camera = name
            action, clip = action_and_clip(spelled)
            if (subject, camera) not in known:
                raise MissingCalibration(calibration, f"{subject} {camera}")
            lens, size = _camera(calibration, (subject, camera), known[subject, camera])
            view = _view(path, root / "images", table, rows, size, subject, action, clip, lens.name)
            why = corrupt(view)
            if why is not None:
                skipped.append((view.name, why))
                continue
            cameras[lens.name] = lens
            views.append(view)
    return Catalogue(tuple(views), cameras, tuple(skipped), {"extrinsics": "from cameras.pkl"})


def _tables(source: Path, root: Path) -> tuple[dict[Path, Table], list[tuple[str, str]]]:
    """The parts to be read, by file, and those that cannot be."""
    rates = [path for path in (root / "annotation_body3d").glob("fps*") if path.name[3:].isdigit()]
    best: tuple[float, dict[Path, Table]] = (-1.0, {})
    skipped: list[tuple[str, str]] = []
    broken: BrokenAnnotations | None = None
    for folder in sorted(rates, key=lambda path: -int(path.name[3:])):
        found: dict[Path, Table] = {}
        for part in ("train", "test"):
            plain, original = (folder / f"h36m_{part}{end}.npz" for end in ("", "_original"))
            path = plain if plain.is_file() or not original.is_file() else original
            try:
                if path.is_file():
                    found[path] = _table(path)
            except BrokenAnnotations as error:
                broken = error
                skipped.append((f"{folder.name}/{path.name}", error.found))
        there = _share_there(root / "images", found)
        if there > best[0] and found:
            best = there, found
        if there > MOST:
            break
    if not best[1]:
        raise broken or NotThisLayout(source, "mmpose's Human3.6M", EXPECTED)
    return best[1], skipped


def _share_there(images: Path, tables: Mapping[Path, Table]) -> float:
    """Of some of the named pictures, the share that are there."""
    names = [str(name) for table in tables.values() for name in table["imgname"]]
    some = names[:: max(len(names) // LOOKED_AT, 1)]
    there: int = sum((images / name).is_file() for name in some)
    return there / max(len(some), 1)


def _table(path: Path) -> Table:
    wanted = {"imgname": 1, "center": 2, "scale": 1, "S": 3}
    try:
        with np.load(path, allow_pickle=False) as archive:
            table = {name: archive[name] for name in wanted}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BrokenAnnotations(path, str(error), "imgname, center, scale and S") from error
    count = len(table["imgname"])
    for name, axes in wanted.items():
        if table[name].ndim != axes or len(table[name]) != count:
            raise BrokenAnnotations(path, f"{name} of shape {list(table[name].shape)}", f"{count} entries")
    if table["S"].shape[1:] not in ((17, 3), (17, 4)):
        raise BrokenAnnotations(path, f"S of shape {list(table['S'].shape)}", "[n, 17, 3 or 4]")
    return table


def _by_folder(path: Path, names: NDArray[np.str_]) -> list[tuple[tuple[str, str, str], NDArray[np.int64]]]:
    """((subject, action as spelled, camera), rows) of each folder of pictures."""
    folders: dict[tuple[str, str, str], list[int]] = {}
    for row, name in enumerate(names.tolist()):
        match = FOLDER.fullmatch(name)
        if match is None:
            raise BrokenAnnotations(
                path, f"picture {name!r}", "S1/S1_Eating.54138969/…_000001.jpg or its like"
            )
        folders.setdefault((match[1], match[3], match[4]), []).append(row)
    return [(key, np.array(rows, np.int64)) for key, rows in folders.items()]


def _camera(path: Path, key: tuple[str, str], camera: Mapping[str, Any]) -> tuple[Camera, tuple[int, int]]:
    """The camera and its pictures' size (H, W). Its lens distortion is left as it is in the pictures."""
    placed = of_mmpose(path, key, camera)
    try:
        matrix = intrinsics(camera["f"], camera["c"])
        size = int(camera["h"]), int(camera["w"])
    except (KeyError, ValueError, TypeError) as error:
        raise BrokenAnnotations(path, f"camera {key}: {error}", "f [2], c [2], w and h") from error
    name = ".".join(key)
    return Camera(name, matrix, placed.rotation, placed.translation), size


def _view(
    path: Path,
    images: Path,
    table: Table,
    rows: NDArray[np.int64],
    size: tuple[int, int],
    subject: str,
    action: str,
    clip: str,
    camera: str,
) -> View:
    names = table["imgname"][rows].tolist()
    try:
        pictures = PictureFiles.of(images, names)
    except ValueError as error:
        raise BrokenAnnotations(path, str(error), "numbered pictures") from error
    order = np.unique(pictures.labels, return_index=True)[1]  # ascending, and each picture once
    centre = table["center"][rows].astype(np.float64)
    half = table["scale"][rows].astype(np.float64)[:, None] * UNIT / 2
    view = View(
        subject,
        action,
        clip,
        camera,
        numbers=pictures.labels - 1,
        pictures=pictures,
        fps=FPS,
        poses=in_millimetres(table["S"][rows][..., :3]),
        boxes=from_corners(centre - half, centre + half, size),
    )
    return view.take(order)
