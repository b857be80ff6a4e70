"""Networks and a data set small enough for any test."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dpa.bench.stand_in import account, install
from dpa.engine.sessions.protocol import TensorSpec, TorchSession
from dpa.models.data.contract import COLUMNS, Camera
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.networks.config import DecoderConfig, HeadConv, NetworkConfig, TrunkConfig

STAND_IN = install()  # before the first backward pass of the process, which counts the devices


CAMERAS, INSTANTS, CLIPS, SIDE = 3, 4, 6, 32


@pytest.fixture(scope="session")
def tiny_sizes() -> NetworkConfig:
    """Every part of a network, at a few thousand parameters."""
    trunk = TrunkConfig(
        block="basic",
        stem_channels=4,
        stem_kernel=3,
        stem_pool=False,
        planes=(4, 8),
        depths=(1, 1),
        strides=(2, 2),
    )
    return NetworkConfig(
        preset="tiny",
        crop_size=16,
        localiser_size=16,
        appearance_dim=4,
        pose_dim=12,
        localiser=trunk,
        encoder=trunk,
        head=(HeadConv(channels=8, kernel=2),),
        decoder=DecoderConfig(start=4, pose_channels=4, blocks=(8, 4), convolutions=1),
        regressor_hidden=16,
    )


@pytest.fixture(scope="session")
def pooled_sizes() -> NetworkConfig:
    """Sizes that differ from one another, and a pooling stem; an export takes a second."""
    trunk = TrunkConfig(
        block="basic",
        stem_channels=6,
        stem_kernel=3,
        stem_pool=True,
        planes=(8,),
        depths=(1,),
        strides=(2,),
    )
    return NetworkConfig(
        preset="tiny",
        crop_size=16,
        localiser_size=16,
        appearance_dim=5,
        pose_dim=12,
        localiser=trunk,
        encoder=trunk,
        head=(HeadConv(channels=10, kernel=2),),
        decoder=DecoderConfig(start=8, pose_channels=4, blocks=(8,), convolutions=1),
        regressor_hidden=16,
    )


class MeanColour(nn.Module):
    """pose[k, axis] = 10 k + the mean of colour channel `axis`; box = that mean of red, four times."""

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean = frames.mean(dim=(2, 3))
        pose = mean[:, None, :] + 10 * torch.arange(17.0)[None, :, None]
        return pose, mean[:, :1].expand(-1, 4)


@pytest.fixture
def colour_session() -> TorchSession:
    """A pose session whose answer can be read off a picture."""
    outputs = (TensorSpec("pose", (None, 17, 3)), TensorSpec("box", (None, 4)))
    return TorchSession(MeanColour(), (TensorSpec("frames", (None, 3, None, None)),), outputs)


@pytest.fixture
def stand_in() -> Iterator[torch.device]:
    """The device of `dpa.bench.stand_in`, its account cleared before and after."""
    account.clear()
    yield STAND_IN
    account.clear()


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
