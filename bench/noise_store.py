"""A packed store of noise: measurements and tests need its shape, not its pictures."""

from pathlib import Path

import numpy as np

from dpa.models.data.contract import Camera
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
