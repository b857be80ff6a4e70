"""The spatial transformer S: a localiser that finds the person's box, from the frame alone."""

import math

import torch
from torch import Tensor, nn

from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.resnet import Trunk

SCALE_FLOOR = 0.2
TRANSLATION_LIMIT = 0.8
FIRST_SCALE = 0.7


class Localiser(nn.Module):
    """Frame at localiser size → box θ = (sx, sy, tx, ty).

    Per axis scale = 0.2 + 0.8·σ(·) and translation = 0.8·tanh(·); the read-out's weights start at 0,
    so that the first box covers 0.7 of the frame (FACTS, NSD).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config.localiser)
        side = config.localiser_size // self.trunk.reduction
        self.readout = nn.Linear(self.trunk.channels * side * side, 4)
        share = (FIRST_SCALE - SCALE_FLOOR) / (1 - SCALE_FLOOR)
        nn.init.zeros_(self.readout.weight)
        with torch.no_grad():
            self.readout.bias[:2] = math.log(share / (1 - share))
            self.readout.bias[2:] = 0

    def forward(self, thumbnails: Tensor) -> Tensor:
        """[B, 3, t, t] in [0, 1] → [B, 4]."""
        raw = self.readout(self.trunk(thumbnails - 0.5).flatten(1)).to(thumbnails.dtype)
        scale = SCALE_FLOOR + (1 - SCALE_FLOOR) * raw[:, :2].sigmoid()
        return torch.cat([scale, TRANSLATION_LIMIT * raw[:, 2:].tanh()], dim=1)
