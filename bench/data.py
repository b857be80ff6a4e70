"""How fast a packed store opens and hands out random batches: of noise, since no picture counts here."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from dpa.bench.config import StoreBench
from dpa.bench.timing import Timing, measure
from dpa.models.data.contract import Camera
from dpa.models.data.store import PackedStore
from dpa.models.data.store_writer import PackedStoreWriter

SUBJECTS = ("S1", "S5")
ACTIONS = ("Walking", "Sitting")
CAMERAS = 4


def write_noise_store(out: Path, *, count: int, size: int, seed: int = 0, filled: int | None = None) -> None:
    """A store of `count` frames [size, size], of which the first `filled` hold noise (all by default).

    The rest stays a hole in the file: read as zeros, with no space on the disk. Subjects, actions and
    cameras alternate; the seed decides every byte.
    """
    filled = count if filled is None else min(filled, count)
    rng = np.random.default_rng(seed)
    number = np.arange(count)
    cameras = [
        Camera(f"camera {i}", np.diag([size, size, 1.0]), np.eye(3), np.array([0.0, 0.0, 4000.0]))
        for i in range(CAMERAS)
    ]
    columns: dict[str, object] = {
        "subject": np.array(SUBJECTS)[number % len(SUBJECTS)],
        "action": np.array(ACTIONS)[number // 2 % len(ACTIONS)],
        "outfit": "S1",
        "sequence": number // 4,
        "camera": number % CAMERAS,
        "plate": number % CAMERAS,
        "frame": number // 16,
        "time": number / 16 / 10,
        "box": np.tile(np.array([0.5, 0.5, 0.0, 0.0]), (count, 1)),
    }
    with PackedStoreWriter(
        out,
        cameras=cameras,
        plates=rng.integers(0, 256, (CAMERAS, size, size, 3), dtype=np.uint8),
        fps=10,
        seed=seed,
        source="noise",
        count=count,
        sparse=filled < count,
    ) as writer:
        for start in range(0, filled, 256):
            n = min(256, filled - start)
            writer.write(
                start,
                rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8),
                rng.random((n, size, size)) < 0.5,
                rng.normal(0, 300, (n, 17, 3)).astype(np.float32),
                {
                    name: c[start : start + n] if isinstance(c, np.ndarray) else c
                    for name, c in columns.items()
                },
            )
        rest = {name: c[filled:] if isinstance(c, np.ndarray) else c for name, c in columns.items()}
        writer.maps.write_index(filled, count - filled, rest)


def measure_store(settings: StoreBench) -> dict[str, object]:
    """Opening time of a store of `frames` frames [size, size], and images/s of random batches.

    Only the first `warm` frames hold noise and are drawn from, so that they stay in the page cache; the
    rest are holes in the file, which an opening does not read anyway. folder: where the store is made
    (the system's temporary folder where None); it is removed at the end.
    """
    frames, size, batch, warm = settings.frames, settings.size, settings.batch, settings.warm
    folder, duration_s = settings.folder, settings.seconds
    torch.set_num_threads(settings.threads)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "store"
        write_noise_store(path, count=frames, size=size, filled=warm)
        opening = measure(lambda: PackedStore.open(path), duration_s=duration_s)
        store = PackedStore.open(path)
        for start in range(0, warm, batch):
            store.frames_u8_at(slice(start, start + batch))
        buffer = torch.empty(batch, 3, size, size)

        def draw() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
            return rng.integers(0, min(warm, frames), batch)

        new = measure(lambda: store.frames_at(draw()), duration_s=duration_s)
        reused = measure(lambda: store.frames_at(draw(), out=buffer), duration_s=duration_s)
        raw = measure(lambda: store.frames_u8_at(draw()), duration_s=duration_s)
    return {
        "frames": frames,
        "size": [size, size],
        "batch": batch,
        "threads": settings.threads,
        "open": opening.to_json(),
        "float32_new_memory": _rate(new, batch),
        "float32_reused_memory": _rate(reused, batch),
        "uint8": _rate(raw, batch),
    }


def _rate(timing: Timing, batch: int) -> dict[str, float]:
    return {"images_per_s": batch / timing.p50_s} | timing.to_json()
