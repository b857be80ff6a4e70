"""Pictures in the manner of a motion capture studio, as JPEG files, for measuring an import."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpa.models.data.contract import Camera
from dpa.models.data.importers.catalogue import Catalogue, PictureFiles, View

CAMERAS = 4
CLIP = 250
"""Frames of a view, at most."""

DISTINCT = 50
"""Different pictures of a view; they come again as files of their own."""

QUALITY = 92


def write_pictures(folder: Path, count: int, size: int) -> Catalogue:
    """`count` files of a dark figure that walks through a textured room, size² pixels, and what an importer
    would have read of them: 17 joints in the picture and in mm. A clip is seen by CAMERAS cameras."""
    rng = np.random.default_rng(0)
    names = [f"S1.{number}" for number in range(CAMERAS)]
    cameras = {
        name: Camera(name, np.diag([size, size, 1.0]), np.eye(3), np.array([0.0, 0.0, 4000.0]))
        for name in names
    }
    rooms = [_room(size, rng) for _ in names]
    views = []
    for number, start in enumerate(range(0, count, CLIP)):
        clip, camera = divmod(number, CAMERAS)
        frames = min(CLIP, count - start)
        here = folder / f"{number:04d}"
        here.mkdir(parents=True)
        joints = np.stack([_joints(frame % DISTINCT, size) for frame in range(frames)])
        for frame in range(frames):
            path = here / f"{frame:06d}.jpg"
            if frame < DISTINCT:
                picture = _figure(rooms[camera], joints[frame])
                Image.fromarray(picture).save(path, quality=QUALITY)
            else:
                path.write_bytes((here / f"{frame % DISTINCT:06d}.jpg").read_bytes())
        views.append(
            View(
                "S1", "Walking", str(clip), names[camera],
                numbers=np.arange(frames),
                pictures=PictureFiles(here, "{:06d}.jpg", np.arange(frames)),
                fps=50.0,
                poses=np.concatenate([joints, np.zeros((frames, 17, 1), np.float32)], axis=2),
                joints=joints,
            )
        )  # fmt: skip
    return Catalogue(tuple(views), cameras)


def _room(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """[size, size, 3]: smooth light and some grain, about as many bits a pixel as a photograph."""
    coarse = Image.fromarray(rng.integers(90, 230, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)).astype(np.int16)
    room: NDArray[np.uint8] = np.clip(smooth + rng.integers(-6, 7, (size, size, 1)), 0, 255).astype(np.uint8)
    return room


def _joints(step: int, size: int) -> NDArray[np.float32]:
    """[17, 2] pixels of somebody a fifth of the picture wide, who crosses it in DISTINCT steps."""
    across = 0.2 + 0.6 * step / DISTINCT
    spread = np.linspace(-0.1, 0.1, 17)
    return (np.stack([across + spread, 0.55 + 3 * np.roll(spread, 5)], axis=1) * size).astype(np.float32)


def _figure(room: NDArray[np.uint8], joints: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The room with a dark rectangle over the joints."""
    picture = room.copy()
    (left, top), (right, bottom) = joints.min(axis=0).astype(int), joints.max(axis=0).astype(int)
    picture[max(top, 0) : bottom, max(left, 0) : right] = (40, 30, 60)
    return picture
