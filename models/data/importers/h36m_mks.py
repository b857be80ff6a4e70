"""Human3.6M as mks0601's repositories share it: images/s_01_act_02_subact_01_ca_01/… beside annotations/ with
Human36M_subject1_{data,camera,joint_3d}.json.

Joints are 17 in mm in the world; cameras carry R and t. Two editions are about: t is the translation
(R·X + t) in one and the camera's position (R·(X − t)) in the other; which one it is, is told by where the
joints fall.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.models.data.contract import Camera
from dpa.models.documents import read_json

from .calibration import intrinsics
from .catalogue import BrokenAnnotations, Catalogue, NotThisLayout, PictureFiles, View
from .conventions import ACTIONS, BODY_MARGIN, CAMERAS, FIRST_ACTION, FPS, corrupt, from_corners

EXPECTED = "images/ and annotations/ with Human36M_subject1_data.json and its like"
MISSING = (KeyError, IndexError, TypeError, ValueError, AttributeError)


def read_h36m_mks(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """What annotations/ lists, one subject at a time. extrinsics: not used, the layout has its own.

    A subject whose files cannot be read costs its own clips only, and is named. Raises NotThisLayout.
    """
    files = sorted((source / "annotations").glob("Human36M_subject*_data.json"), key=_subject_number)
    if not files:
        raise NotThisLayout(source, "mks0601's Human3.6M", EXPECTED)
    views: list[View] = []
    skipped: list[tuple[str, str]] = []
    cameras: dict[str, Camera] = {}
    for path in files:
        try:
            found = _subject(path, source / "images", cameras)
        except BrokenAnnotations as error:
            skipped.append((f"S{_subject_number(path)}", error.found))
            continue
        for view, without in found:
            why = corrupt(view)
            if why is not None:
                skipped.append((view.name, why))
                continue
            views.append(view)
            if without:
                skipped.append((view.name, f"{without} of its pictures have no joints or no box"))
    return Catalogue(tuple(views), cameras, tuple(skipped), {"extrinsics": "from the annotations"})


def _subject_number(path: Path) -> int:
    match = re.search(r"subject(\d+)_data", path.name)
    return int(match[1]) if match else 0


def _json(path: Path) -> Any:
    try:
        return read_json(path, 1 << 31)
    except (OSError, ValueError) as error:
        raise BrokenAnnotations(path, f"{type(error).__name__}: {error}", "a whole JSON file") from error


def _subject(path: Path, images: Path, cameras: dict[str, Camera]) -> list[tuple[View, int]]:
    """A subject's views, each with the number of pictures that lack joints or a box; adds its cameras."""
    stem = path.name.removesuffix("_data.json")
    data = _json(path)
    calibration = _json(path.with_name(f"{stem}_camera.json"))
    joints = _json(path.with_name(f"{stem}_joint_3d.json"))
    subject = f"S{_subject_number(path)}"
    try:
        boxes = {one["image_id"]: one["bbox"] for one in data["annotations"]}
        groups: dict[tuple[int, int, int], list[Mapping[str, Any]]] = defaultdict(list)
        for image in data["images"]:
            groups[image["action_idx"], image["subaction_idx"], image["cam_idx"]].append(image)
        found = []
        lenses: dict[int, Camera] = {}
        for (action, clip, number), pictures in sorted(groups.items()):
            world = joints[str(action)][str(clip)]
            usable = [
                one for one in pictures if str(one["frame_idx"]) in world and boxes.get(one["id"]) is not None
            ]
            if not usable:
                continue
            usable.sort(key=lambda one: int(one["frame_idx"]))
            points = np.array([world[str(one["frame_idx"])] for one in usable], np.float64).reshape(-1, 17, 3)
            corners = np.array([boxes[one["id"]] for one in usable], np.float64).reshape(-1, 4)
            if number not in lenses:
                name = f"{subject}.{CAMERAS[number - 1]}"
                lenses[number] = _camera(path, name, calibration[str(number)], points, corners)
            view = _view(images, usable, lenses[number], subject, action, clip, points, corners)
            found.append((view, len(pictures) - len(usable)))
    except MISSING as error:
        raise BrokenAnnotations(path, f"{type(error).__name__}: {error}", "mks0601's annotations") from error
    cameras.update({lens.name: lens for lens in lenses.values()})
    return found


def _view(
    images: Path,
    pictures: list[Mapping[str, Any]],
    lens: Camera,
    subject: str,
    action: int,
    clip: int,
    world: NDArray[np.float64],
    corners: NDArray[np.float64],
) -> View:
    size = int(pictures[0]["height"]), int(pictures[0]["width"])
    return View(
        subject,
        ACTIONS[action - FIRST_ACTION],
        str(clip),
        lens.name,
        numbers=np.array([one["frame_idx"] for one in pictures], np.int64),
        pictures=PictureFiles.of(images, [str(one["file_name"]) for one in pictures]),
        fps=FPS,
        poses=lens.to_camera(world).astype(np.float32),
        boxes=from_corners(corners[:, :2], corners[:, :2] + corners[:, 2:], size, BODY_MARGIN),
    )


def _camera(
    path: Path,
    name: str,
    given: Mapping[str, Any],
    world: NDArray[np.float64],
    corners: NDArray[np.float64],
) -> Camera:
    """The camera in whichever reading of t puts the joints before it and into their boxes [n, 4] = (left,
    top, width, height). Raises BrokenAnnotations if neither does."""
    rotation = np.array(given["R"], np.float64).reshape(3, 3)
    t = np.array(given["t"], np.float64).reshape(3)
    matrix = intrinsics(given["f"], given["c"])
    for translation in (t, -rotation @ t):
        camera = Camera(name, matrix, rotation, translation)
        if (camera.to_camera(world)[..., 2] <= 0).any():
            continue
        middle = camera.project(world).mean(axis=1)
        inside = (middle > corners[:, :2]) & (middle < corners[:, :2] + corners[:, 2:])
        if inside.all(axis=1).mean() > 0.9:
            return camera
    raise BrokenAnnotations(
        path, f"camera {name} sees the joints outside of their boxes", "R and t that fit the boxes"
    )
