"""How fast pictures become a packed store, beside plain decoding and plain copying of the same ones: JPEG
files in the manner of a motion capture studio."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dpa.bench.config import ImportBench
from dpa.bench.timing import circumstances, peak_mb
from dpa.engine.runs.environment import devices
from dpa.models.data.contract import Camera
from dpa.models.data.importers.catalogue import Catalogue, PictureFiles, View
from dpa.models.data.importers.run import import_catalogue
from dpa.models.data.store import PackedStore
from dpa.models.data.store_format import FRAMES

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


TENTH = 10


def measure_import(settings: ImportBench) -> dict[str, object]:
    """Imports `frames` JPEG files of size² pixels, once a tenth of them and once all: memory must not grow.

    decode: every file opened and decoded to RGB, nothing kept, one process. copy: the store's frames copied
    to another file and synced to the disk. share_of_plain: what those two take together, over what the
    import takes, which writes every frame twice and finds plates, boxes and silhouettes besides. folder:
    where all is made (the system's temporary folder where None); it is removed at the end. The files were
    written just before and lie in the page cache.
    """
    frames, size = settings.frames, settings.size
    workers, folder = settings.workers, settings.folder
    today = circumstances()
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        base = Path(temporary)
        made = {"tenth": max(frames // TENTH, 1), "all": frames}
        rows: dict[str, dict[str, float | None]] = {}
        for name, count in made.items():
            catalogue = write_pictures(base / name, count, size)
            rows[name] = _import(catalogue, base / name, base / f"{name}.store", workers)
        decoded = _timed(lambda: _decode(catalogue))
        copied = _timed(lambda: _copy(base / "all.store" / FRAMES, base / "copy"))
        stored = PackedStore.open(base / "all.store").info()
    frame_mb = size * size * 3 / 1e6
    took = rows["all"]["seconds"]
    assert took is not None  # every import is timed
    return today | {
        "device": devices()["cpu"],
        "frames": frames,
        "size": [size, size],
        "workers": workers,
        "stored_frames": stored["frames"],
        "import": _rate(took, frames, frame_mb),
        "decode": _rate(decoded, frames, frame_mb),
        "copy": _rate(copied, frames, frame_mb),
        "share_of_plain": (decoded + copied) / took,
        "peak_mb": {name: row["peak_mb"] for name, row in rows.items()},
        "largest_worker_mb": _largest_child_mb() if workers > 1 else None,
    }


def _import(catalogue: Catalogue, source: Path, out: Path, workers: int) -> dict[str, float | None]:
    seconds = 0.0

    def work() -> None:
        nonlocal seconds
        seconds = _timed(lambda: import_catalogue(catalogue, source, out, layout="bench", workers=workers))

    peak = peak_mb(work, torch.device("cpu"))
    return {"seconds": seconds, "peak_mb": peak}


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _decode(catalogue: Catalogue) -> None:
    for view in catalogue.views:
        assert isinstance(view.pictures, PictureFiles)
        for index in range(len(view.numbers)):
            with Image.open(view.pictures.path(index)) as image:
                np.asarray(image.convert("RGB"))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def _rate(seconds: float, frames: int, frame_mb: float) -> dict[str, float]:
    return {"seconds": seconds, "images_per_s": frames / seconds, "mb_per_s": frames * frame_mb / seconds}


def _largest_child_mb() -> float:
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
