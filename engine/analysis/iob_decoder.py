"""The decoder that Information over Bias trains: as the metric's authors have it, sized for our codes and
crops (FACTS, DC and IOB)."""

import torch
from torch import Tensor, nn

WIDTH = 256
"""Channels of the first map; each block halves them."""

BLOCKS = 4
"""Each doubles the side: the first map is a sixteenth of the picture."""


def up_block(inputs: int) -> nn.Sequential:
    """Transposed convolution 4×4 of stride 2, instance normalisation, LeakyReLU. [B, C, h, w] →
    [B, C/2, 2h, 2w]."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, inputs // 2, 4, stride=2, padding=1),
        nn.InstanceNorm2d(inputs // 2, affine=True),
        nn.LeakyReLU(0.2),
    )


class IobDecoder(nn.Module):
    """Code → picture in [-1, 1]: three linear layers without activations, four up-blocks, a 7×7 convolution,
    instance normalisation, tanh.

    The last normalisation gives every picture the same mean and contrast, channel by channel, and so hides
    a global colour that the code may know: `last_norm=False` leaves it out. The linear layers are 8 → 256 →
    4096 → 16384 for the authors' codes of 8 and pictures of 128²; ours keep 256, a quarter of the first map,
    the first map, whose side is a sixteenth of the picture's.
    """

    def __init__(self, code_dim: int, size: int, last_norm: bool = True) -> None:
        """size: the picture's side, a multiple of 16. Xavier's uniform initialisation, as the authors'."""
        super().__init__()
        if size % 2**BLOCKS:
            raise ValueError(f"pictures of {size}², a multiple of {2**BLOCKS} is needed")
        self.start = size // 2**BLOCKS
        first_map = WIDTH * self.start**2
        self.spread = nn.Sequential(
            nn.Linear(code_dim, WIDTH),
            nn.Linear(WIDTH, first_map // 4),
            nn.Linear(first_map // 4, first_map),
        )
        widths = [WIDTH >> block for block in range(BLOCKS + 1)]
        self.blocks = nn.Sequential(*(up_block(width) for width in widths[:-1]))
        self.image = nn.Conv2d(widths[-1], 3, 7, padding=3)
        self.norm = nn.InstanceNorm2d(3, affine=True) if last_norm else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, code: Tensor) -> Tensor:
        """[B, code_dim] → [B, 3, size, size] in [-1, 1]."""
        first = self.spread(code).reshape(-1, WIDTH, self.start, self.start)
        return torch.tanh(self.norm(self.image(self.blocks(first))))
