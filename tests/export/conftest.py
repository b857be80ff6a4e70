"""A network small enough to be exported in seconds, with every part that the big ones have."""

import pytest
import torch
from torch import Tensor, nn

from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.regressor import Regressor


@pytest.fixture(scope="session")
def network(pooled_sizes: NetworkConfig) -> DisentangledNetwork:
    """Random weights and batch statistics; boxes that differ from frame to frame; poses in mm."""
    torch.manual_seed(3)
    made = DisentangledNetwork(pooled_sizes, "nsd")
    made.regressor = Regressor(pooled_sizes)
    nn.init.normal_(made.localiser.readout.weight, std=0.3)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    made.regressor.std.uniform_(100, 300)
    made.regressor.mean.normal_(0, 200)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def frames() -> Tensor:
    """[24, 3, 40, 40] in [0, 1]."""
    return torch.rand(24, 3, 40, 40, generator=torch.Generator().manual_seed(4))
