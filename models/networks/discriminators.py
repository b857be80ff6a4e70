"""DRNet's discriminator: do two pose codes come from the same person?"""

import torch
from torch import Tensor, nn


class PairDiscriminator(nn.Module):
    """Linear(2·600, 100)-ReLU-Linear(100, 100)-ReLU-Linear(100, 1), as in DRNet's code (FACTS)."""

    def __init__(self, pose_dim: int, hidden: int = 100) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * pose_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """[B, 600] twice → [B] logits of "same person"."""
        logits: Tensor = self.layers(torch.cat([first, second], dim=1))
        return logits[:, 0]
