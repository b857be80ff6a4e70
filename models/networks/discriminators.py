"""Networks that judge others while these are trained, and are thrown away: DRNet's (do two pose codes come
from the same person?) and the refinement's (is a patch of a crop painted or photographed?)."""

import torch
from torch import Tensor, nn


class PairDiscriminator(nn.Module):
    """Linear(2·600, 100)-ReLU-Linear(100, 100)-ReLU-Linear(100, 1), as in DRNet's code
    (docs/architectures.md)."""

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


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of 34 pixels (Isola et al., 2017; sizes are the project's choice). It sees a
    crop and how it differs from the background behind it, so that it looks at the person, not at the room."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(6, width, 4, 2, 1), nn.LeakyReLU(0.2)),
                nn.Sequential(
                    nn.Conv2d(width, 2 * width, 4, 2, 1), nn.GroupNorm(4, 2 * width), nn.LeakyReLU(0.2)
                ),
                nn.Sequential(
                    nn.Conv2d(2 * width, 4 * width, 4, 1, 1), nn.GroupNorm(4, 4 * width), nn.LeakyReLU(0.2)
                ),
            ]
        )
        self.verdict = nn.Conv2d(4 * width, 1, 4, 1, 1)

    def forward(self, crops: Tensor, plates: Tensor) -> tuple[list[Tensor], Tensor]:
        """[B, 3, s, s] in [0, 1] twice → the maps of every layer, and verdicts [B, 1, s/4 - 2, s/4 - 2]:
        1 means photographed, 0 painted."""
        maps = [torch.cat([crops - 0.5, crops - plates], dim=1)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps[1:], self.verdict(maps[-1])
