"""How fast pictures become a packed store, beside plain decoding and plain copying of the same ones."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dpa.bench.circumstances import circumstances
from dpa.bench.import_pictures import write_pictures
from dpa.bench.peak_memory import peak_mb
from dpa.engine.runs.environment import devices
from dpa.models.data.importers.catalogue import Catalogue, PictureFiles
from dpa.models.data.importers.run import import_catalogue
from dpa.models.data.store import PackedStore
from dpa.models.data.store_format import FRAMES

TENTH = 10


def measure_import(*, frames: int, size: int, workers: int, folder: Path | None) -> dict[str, object]:
    """Imports `frames` JPEG files of size² pixels, once a tenth of them and once all: memory must not grow.

    decode: every file opened and decoded to RGB, nothing kept, one process. copy: the store's frames copied
    to another file and synced to the disk. share_of_plain: what those two take together, over what the
    import takes, which writes every frame twice and finds plates, boxes and silhouettes besides. folder:
    where all is made (the system's temporary folder where None); it is removed at the end. The files were
    written just before and lie in the page cache.
    """
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
