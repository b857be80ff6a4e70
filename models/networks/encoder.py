"""What reads a picture: the spatial transformer S, which finds the person's box in the frame, and the encoder
E, from the crop to appearance code and pose code; both on a residual trunk (He et al., 2016)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models.networks.config import NetworkConfig, TrunkConfig

FLATNESS = 16
"""Exponent of the bump, the project's choice: at 0.87 of the half-width, where a person's head and
feet lie, the window is still 0.89."""


def bump_window(size: int) -> Tensor:
    """[1, 1, size, size] in [0, 1]: product over both axes of exp(1 − 1 / (1 − u^16))."""
    u = (2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1
    axis = torch.exp(1 - 1 / (1 - u**FLATNESS))
    return (axis[:, None] * axis[None, :])[None, None].float()


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut. [B, inputs, H, W] → [B, planes, H/stride, W/stride]."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = _shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions and a shortcut. [B, inputs, H, W] → [B, 4·planes, H/stride, W/stride]."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.shortcut = _shortcut(inputs, 4 * planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


_BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class Trunk(nn.Module):
    """[B, 3, s, s] → [B, channels, s/reduction, s/reduction]."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        block = _BLOCKS[config.block]
        width, kernel = config.stem_channels, config.stem_kernel
        stem: list[nn.Module] = [
            nn.Conv2d(3, width, kernel, 2, kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        if config.stem_pool:
            stem.append(nn.MaxPool2d(3, 2, 1))
        self.stem = nn.Sequential(*stem)
        stages: list[nn.Module] = []
        self.reduction = 4 if config.stem_pool else 2
        for planes, depth, stride in zip(config.planes, config.depths, config.strides, strict=True):
            for index in range(depth):
                stages.append(block(width, planes, stride if index == 0 else 1))
                width = planes * block.expansion
            self.reduction *= stride
        self.stages = nn.Sequential(*stages)
        self.channels = width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.stages(self.stem(x))
        return y

    def maps(self, x: Tensor) -> list[Tensor]:
        """The stem's output and every block's; the last one is `forward`'s."""
        found = [self.stem(x)]
        for block in self.stages:
            found.append(block(found[-1]))
        return found


SCALE_FLOOR = 0.2
TRANSLATION_LIMIT = 0.8
FIRST_SCALE = 0.7


class Localiser(nn.Module):
    """Frame at localiser size → box θ = (sx, sy, tx, ty).

    Per axis scale = 0.2 + 0.8·σ(·) and translation = 0.8·tanh(·); the read-out's weights start at 0,
    so that the first box covers 0.7 of the frame (docs/architectures.md).
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


SIGMOID_VARIANCE = 0.045


class HeadConvolution(nn.Conv2d):
    """An unpadded convolution; where it covers its whole input it runs as one matrix product, which is
    several times faster in the backward pass on a CPU. [B, C, H, W] → [B, outputs, H′, W′]."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != self.kernel_size:
            return super().forward(x)
        return F.linear(x.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]


class Encoder(nn.Module):
    """Both codes are affine in one shared sigmoid vector, without an activation of their own
    (docs/architectures.md)."""

    window: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.appearance_dim = config.appearance_dim
        self.register_buffer("window", bump_window(config.crop_size), persistent=False)
        self.trunk = Trunk(config.encoder)
        layers: list[nn.Module] = []
        width = self.trunk.channels
        for index, conv in enumerate(config.head):
            last = index == len(config.head) - 1
            layers += [
                HeadConvolution(width, conv.channels, conv.kernel, conv.stride),
                nn.BatchNorm2d(conv.channels),
                nn.Sigmoid() if last else nn.ReLU(),
            ]
            width = conv.channels
        self.head = nn.Sequential(*layers)
        self.codes = nn.Linear(width, config.appearance_dim + config.pose_dim)
        # A sigmoid of a normalised value has mean 1/2 and variance 0.045: codes begin centred, of unit size.
        nn.init.normal_(self.codes.weight, std=(SIGMOID_VARIANCE * width) ** -0.5)
        with torch.no_grad():
            self.codes.bias.copy_(-0.5 * self.codes.weight.sum(1))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, s, s] in [0, 1] → h_a [B, 128], h_p [B, 600]."""
        return self._codes(self.trunk((crops - 0.5) * self.window), crops.dtype)

    def read(self, crops: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """As `forward`, and before the codes what the trunk saw on the way: see `Trunk.maps`."""
        maps = self.trunk.maps((crops - 0.5) * self.window)
        return maps, *self._codes(maps[-1], crops.dtype)

    def _codes(self, seen: Tensor, kind: torch.dtype) -> tuple[Tensor, Tensor]:
        codes = self.codes(self.head(seen).flatten(1)).to(kind)
        return codes[:, : self.appearance_dim], codes[:, self.appearance_dim :]
