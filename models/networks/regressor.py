"""The pose regressor φ: pose code → 3D pose."""

import torch
from torch import Tensor, nn

from dpa.models.networks.config import NetworkConfig


class Regressor(nn.Module):
    """Two hidden layers with batch normalisation and dropout (Rhodin's, docs/architectures.md), then
    de-standardisation by the training labels' mean and standard deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        hidden, outputs = config.regressor_hidden, 3 * config.joints
        self.layers = nn.Sequential(
            nn.Linear(config.pose_dim, hidden),
            nn.ReLU(),
            nn.BatchNorm1d(hidden),
            nn.Dropout(config.regressor_dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.BatchNorm1d(hidden),
            nn.Dropout(config.regressor_dropout),
            nn.Linear(hidden, outputs),
        )
        self.register_buffer("mean", torch.zeros(config.joints, 3))
        self.register_buffer("std", torch.ones(config.joints, 3))

    def standardised(self, h_p: Tensor) -> Tensor:
        """[B, 600] → [B, 17, 3], in standard deviations of the training labels."""
        y: Tensor = self.layers(h_p)
        return y.reshape(h_p.shape[0], *self.mean.shape)

    def forward(self, h_p: Tensor) -> Tensor:
        """[B, 600] → [B, 17, 3] mm, root-relative, camera axes."""
        pose = self.standardised(h_p) * self.std + self.mean
        return pose - pose[:, :1]
