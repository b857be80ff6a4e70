"""The encoder E: crop → appearance code and pose code."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.resnet import Trunk
from dpa.models.networks.window import bump_window

SIGMOID_VARIANCE = 0.045


class HeadConvolution(nn.Conv2d):
    """An unpadded convolution; where it covers its whole input it runs as one matrix product, which is
    several times faster in the backward pass on a CPU. [B, C, H, W] → [B, outputs, H′, W′]."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != self.kernel_size:
            return super().forward(x)
        return F.linear(x.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]


class Encoder(nn.Module):
    """Both codes are affine in one shared sigmoid vector, without an activation of their own (FACTS, NSD)."""

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
        shared = self.head(self.trunk((crops - 0.5) * self.window))
        codes = self.codes(shared.flatten(1)).to(crops.dtype)
        return codes[:, : self.appearance_dim], codes[:, self.appearance_dim :]
