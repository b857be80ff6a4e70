"""Human3.6M as h36m-fetch leaves it: processed/S1/Directions-1/ with annot.h5 and
imageSequence/CAMERA/img_000001.jpg.

Frames are 1-based and irregular (near-duplicates are left out), poses are 32 joints in mm in the camera's
axes, intrinsics are in each file; extrinsics are not there at all. They come from a file that the user
names; without one the cameras are related to each other by the poses that they share.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera

from .annotation_files import array, opened, shaped
from .calibration import calibrated, intrinsics, placed_by_poses, read_calibration
from .catalogue import BrokenAnnotations, Catalogue, NotThisLayout, PictureFiles, View
from .conventions import FPS, FROM_H36M_32, action_and_clip, corrupt, seventeen

EXPECTED = "S1/Directions-1/annot.h5 and its like, in it or in its folder `processed`"


def read_h36m_fetch(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """What h36m-fetch made, in `source` or its folder `processed`.

    An annotation file that cannot be read costs its own clips only, and is named. Raises NotThisLayout,
    NeedsPackage, and what `read_calibration` raises.
    """
    root = source / "processed" if (source / "processed").is_dir() else source
    folders = [
        path for path in root.glob("S*/*") if path.is_dir() and re.fullmatch(r"S\d+", path.parent.name)
    ]
    if not folders:
        raise NotThisLayout(source, "h36m-fetch", EXPECTED)
    known = None if extrinsics is None else read_calibration(extrinsics)
    views: list[View] = []
    skipped: list[tuple[str, str]] = []
    matrices: dict[tuple[str, str], NDArray[np.float64]] = {}
    for folder in sorted(folders, key=_order):
        try:
            found = _clip(folder, matrices)
        except BrokenAnnotations as error:
            skipped.append((f"{folder.parent.name} {folder.name}", error.found))
            continue
        for view in found:
            why = corrupt(view)
            if why is None:
                views.append(view)
            else:
                skipped.append((view.name, why))
    if known is None:
        placed = placed_by_poses(views)
    else:
        assert extrinsics is not None
        placed = {key: calibrated(extrinsics, known, *key) for key in matrices}
    cameras = {
        f"{subject}.{name}": Camera(
            f"{subject}.{name}", matrix, placed[key].rotation, placed[key].translation
        )
        for key, matrix in matrices.items()
        for subject, name in [key]
        if key in placed
    }
    facts = {"extrinsics": "from the shared poses" if known is None else "from a published file"}
    return Catalogue(tuple(views), cameras, tuple(skipped), facts)


def _order(folder: Path) -> tuple[int, str]:
    return int(folder.parent.name[1:]), folder.name


def _clip(folder: Path, matrices: dict[tuple[str, str], NDArray[np.float64]]) -> list[View]:
    """The views of one clip's folder; adds the cameras' intrinsics."""
    path = folder / "annot.h5"
    if not path.is_file():
        raise BrokenAnnotations(folder, "no annot.h5", "one")
    subject, (action, clip) = folder.parent.name, action_and_clip(folder.name)
    with opened(path) as file:
        frame, camera = (array(file, path, name).reshape(-1).astype(np.int64) for name in ("frame", "camera"))
        count = len(frame)
        poses = shaped(array(file, path, "pose/3d"), (count, 32, 3), path, "pose/3d")
        pixels = shaped(array(file, path, "pose/2d"), (count, 32, 2), path, "pose/2d")
        shaped(camera, (count,), path, "camera")
        found = []
        for number in np.unique(camera):
            matrices[subject, str(number)] = _intrinsics(file, path, str(number))
            rows = np.flatnonzero(camera == number)
            rows = rows[np.argsort(frame[rows], kind="stable")]
            found.append(
                View(
                    subject,
                    action,
                    clip,
                    f"{subject}.{number}",
                    numbers=frame[rows] - 1,
                    pictures=PictureFiles(
                        folder / "imageSequence" / str(number), "img_{:06d}.jpg", frame[rows]
                    ),
                    fps=FPS,
                    poses=seventeen(poses[rows], FROM_H36M_32),
                    joints=seventeen(pixels[rows], FROM_H36M_32),
                )
            )
    return found


def _intrinsics(file: Any, path: Path, camera: str) -> NDArray[np.float64]:
    """[3, 3] of the four numbers fx, cx, fy, cy. Further ones repeat them."""
    numbers = array(file, path, f"intrinsics/{camera}").reshape(-1)
    if len(numbers) < 4:
        raise BrokenAnnotations(path, f"intrinsics/{camera} of {len(numbers)} numbers", "fx, cx, fy, cy")
    fx, cx, fy, cy = numbers[:4]
    return intrinsics((fx, fy), (cx, cy))
