"""A tiny network and a tiny data set of moving squares, seen by three cameras."""

from pathlib import Path

import numpy as np
import pytest

from dpa.models.data.contract import COLUMNS, Camera
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.networks.config import NetworkConfig

CAMERAS, INSTANTS, CLIPS, SIDE = 3, 4, 6, 32


@pytest.fixture
def tiny_config(tiny_sizes: NetworkConfig) -> NetworkConfig:
    """`tiny_sizes`, for a test alone."""
    return tiny_sizes


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    """Six clips of a coloured square that moves over noise; the box column is the square's own."""
    rng = np.random.default_rng(3)
    cameras = [
        Camera(
            f"cam{i}",
            np.array([[40.0, 0, 16], [0, 40.0, 16], [0, 0, 1]]),
            np.linalg.qr(rng.normal(size=(3, 3)))[0],
            np.zeros(3),
        )
        for i in range(CAMERAS)
    ]
    plates = rng.integers(0, 90, (CAMERAS, SIDE, SIDE, 3)).astype(np.uint8)
    count = CLIPS * INSTANTS * CAMERAS
    folder: Path = tmp_path_factory.mktemp("data") / "squares"
    with PackedStoreWriter(
        folder, cameras=cameras, plates=plates, fps=10, seed=3, source="test", count=count
    ) as w:
        for clip in range(CLIPS):
            n = INSTANTS * CAMERAS
            frames, silhouettes = np.zeros((n, SIDE, SIDE, 3), np.uint8), np.zeros((n, SIDE, SIDE), bool)
            rows = np.zeros(n, COLUMNS)
            colour = rng.integers(150, 255, 3)
            for row in range(n):
                instant, camera = divmod(row, CAMERAS)
                x, y = rng.integers(2, 18, 2)
                frames[row] = plates[camera]
                frames[row, y : y + 12, x : x + 10] = colour
                silhouettes[row, y : y + 12, x : x + 10] = True
                box = (10 / SIDE, 12 / SIDE, (2 * x + 10) / SIDE - 1, (2 * y + 12) / SIDE - 1)
                rows[row] = (
                    f"S{clip % 2}",
                    "moving",
                    f"S{clip % 2}",
                    clip,
                    camera,
                    camera,
                    instant,
                    instant / 10,
                    box,
                )
            poses = rng.normal(size=(n, 17, 3)).astype(np.float32) * 100
            poses -= poses[:, :1]
            w.write(clip * n, frames, silhouettes, poses, {name: rows[name] for name in COLUMNS.names or ()})
    return PackedStore.open(folder)
