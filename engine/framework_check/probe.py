"""What a framework is tried out on: pictures like none that it was trained on, but smooth as pictures are."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dpa.models.frameworks.base import DisentangledNetwork

SAMPLES = 3
FRAME = (96, 128)
"""Height and width: not square, as cameras are, so that a swap of axes shows."""


@dataclass(frozen=True)
class Probe:
    """Inputs of each step of a network, made by the steps before it. frames: [3, 3, 96, 128] in [0, 1];
    thumbnails: [3, 3, t, t]; box: a fixed [3, 4]; crops: [3, 3, s, s]; the frames cut out there."""

    frames: Tensor
    box: Tensor
    thumbnails: Tensor
    crops: Tensor


def make_probe(network: DisentangledNetwork, seed: int = 0) -> Probe:
    """Seeded random fields on the network's device."""
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(SAMPLES, 3, FRAME[0] // 8, FRAME[1] // 8, generator=generator)
    frames = F.interpolate(coarse, FRAME, mode="bilinear").to(device)
    box = torch.tensor([[0.5, 0.7, 0.1, 0.0], [0.6, 0.6, 0.0, -0.1], [0.4, 0.8, -0.2, 0.1]], device=device)
    small = network.localiser_size
    thumbnails = F.interpolate(frames, (small, small), mode="bilinear", antialias=True)
    return Probe(frames, box, thumbnails, DisentangledNetwork.crop(network, frames, box))
