"""The decoder D: appearance code and pose code → colours and mask of the crop."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.encoder import bump_window

MASK_FLOOR = 1e-4
FIRST_CONTRAST = 0.05


class UpBlock(nn.Module):
    """Bilinear ×2, then 3×3 convolutions with ReLU. [B, C, H, W] → [B, outputs, 2H, 2W]."""

    def __init__(self, inputs: int, outputs: int, convolutions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        self.convolutions = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convolutions(
            F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        )
        return y


class Decoder(nn.Module):
    """No batch normalisation, no skip connections (docs/architectures.md)."""

    window: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        sizes = config.decoder
        self.start, self.pose_channels = sizes.start, sizes.pose_channels
        self.appearance_dim = config.appearance_dim
        self.register_buffer("window", bump_window(config.crop_size), persistent=False)
        self.spread = nn.Sequential(
            nn.Linear(config.pose_dim, sizes.pose_channels * sizes.start**2),
            nn.Dropout(sizes.dropout),
            nn.ReLU(),
        )
        width, blocks = sizes.pose_channels + config.appearance_dim, []
        for channels in sizes.blocks:
            blocks.append(UpBlock(width, channels, sizes.convolutions))
            width = channels
        self.blocks = nn.Sequential(*blocks)
        self.image = nn.Conv2d(width, 4, 1)
        # Without normalisation layers PyTorch's default initial weights let the codes' influence on the
        # picture fade to a few thousandths; He's keep it, and the first thousands of steps are saved.
        for layer in (*self.spread, *(layer for block in blocks for layer in block.convolutions)):
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.image.weight, std=FIRST_CONTRAST)

    def spread_pose(self, h_p: Tensor) -> Tensor:
        """The part that depends on the pose code alone. [B, 600] → [B, C, start, start]."""
        y: Tensor = self.spread(h_p)
        return y.reshape(-1, self.pose_channels, self.start, self.start)

    def paint(self, h_a: Tensor, pose_map: Tensor) -> Tensor:
        """[B, 128], [B, C, start, start] → [B, 4, s, s]: colours and mask logit."""
        tiled = h_a[:, :, None, None].expand(-1, -1, self.start, self.start).to(pose_map.dtype)
        y: Tensor = self.image(self.blocks(torch.cat([pose_map, tiled], dim=1)))
        return y

    def colours(self, raw: Tensor) -> Tensor:
        """A sigmoid, of slope 1 at grey, keeps colours in [0, 1] (the project's choice): unbounded ones
        paint the same picture under a mask that has all but vanished. [B, 3, s, s] → same."""
        return (4 * raw).sigmoid()

    def normalise_mask(self, logit: Tensor) -> Tensor:
        """m = 1e-4 + (1 − 1e-4)·σ(logit), times the bump, over its maximum + 1e-4. [B, 1, s, s] → same."""
        mask = (MASK_FLOOR + (1 - MASK_FLOOR) * logit.sigmoid()) * self.window
        return mask / (mask.amax(dim=(2, 3), keepdim=True) + MASK_FLOOR)

    def forward(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 128], [B, 600] → rgb [B, 3, s, s] in [0, 1], mask [B, 1, s, s] in [0, 1]."""
        painted = self.paint(h_a, self.spread_pose(h_p)).to(h_a.dtype)
        return self.colours(painted[:, :3]), self.normalise_mask(painted[:, 3:])
