"""How fast a packed store opens and hands out random batches."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from dpa.bench.noise_store import write_noise_store
from dpa.bench.timing import Timing, measure
from dpa.models.data.store import PackedStore


def measure_store(
    *, frames: int, size: int, batch: int, warm: int, threads: int, duration_s: float, folder: Path | None
) -> dict[str, object]:
    """Opening time of a store of `frames` frames [size, size], and images/s of random batches.

    Only the first `warm` frames hold noise and are drawn from, so that they stay in the page cache; the
    rest are holes in the file, which an opening does not read anyway. folder: where the store is made
    (the system's temporary folder where None); it is removed at the end.
    """
    torch.set_num_threads(threads)
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
        "threads": threads,
        "open": opening.to_json(),
        "float32_new_memory": _rate(new, batch),
        "float32_reused_memory": _rate(reused, batch),
        "uint8": _rate(raw, batch),
    }


def _rate(timing: Timing, batch: int) -> dict[str, float]:
    return {"images_per_s": batch / timing.p50_s} | timing.to_json()
