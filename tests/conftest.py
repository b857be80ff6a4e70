"""Networks small enough for any test."""

from collections.abc import Iterator

import pytest
import torch

from dpa.bench.stand_in import account, install
from dpa.models.networks.config import DecoderConfig, HeadConv, NetworkConfig, TrunkConfig

STAND_IN = install()  # before the first backward pass of the process, which counts the devices


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


@pytest.fixture
def stand_in() -> Iterator[torch.device]:
    """The device of `dpa.bench.stand_in`, its account cleared before and after."""
    account.clear()
    yield STAND_IN
    account.clear()
