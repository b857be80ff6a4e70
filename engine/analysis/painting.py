"""From codes back to pictures, and what the network reads from its own pictures."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.analysis.codes import BATCH, Backgrounds
from dpa.engine.analysis.network import Network
from dpa.engine.attack.rows import Rows
from dpa.kernels import composite, crop


@dataclass(frozen=True)
class Painted(Rows):
    """Decoded crops. rgb: [n, 3, s, s] in [0, 1]; mask: [n, 1, s, s] in [0, 1]."""

    rgb: Tensor
    mask: Tensor


def paint(network: Network, h_a: Tensor, h_p: Tensor, batch: int = BATCH) -> Painted:
    """G_d(h_a, h_p) for [n, A] and [n, P]; colours limited to [0, 1], as an image holds nothing else."""
    parts = []
    with torch.no_grad():
        for some_a, some_p in zip(torch.split(h_a, batch), torch.split(h_p, batch), strict=True):
            rgb, mask = network.decode(some_a, some_p)
            parts.append(Painted(rgb.clamp(0, 1), mask))
    return Painted.cat(parts)


def before_background(painted: Painted, box: Tensor, backgrounds: Backgrounds) -> Tensor:
    """The decoded person on the plate, inside the box: what a figure shows. [n, 3, s, s] in [0, 1]."""
    size, parts = painted.rgb.shape[-1], []
    for rows in torch.split(torch.arange(len(painted), device=box.device), BATCH):
        behind = crop(backgrounds.plates[backgrounds.index[rows]], box[rows], size)
        parts.append(behind + painted.mask[rows] * (painted.rgb[rows] - behind))
    return torch.cat(parts)


def reread_pose(
    network: Network, painted: Painted, box: Tensor, backgrounds: Backgrounds, batch: int = BATCH
) -> Tensor:
    """φ(E(S(composite))): the network's pose from its own pictures, put into full frames and found there
    again, as the attack does it. Returns [n, J, 3] mm."""
    parts = []
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(painted), device=box.device), batch):
            part, behind = painted.take(rows), backgrounds.index[rows]
            frames = composite(part.rgb, part.mask, box[rows], backgrounds.plates, behind)
            parts.append(network.predict(frames))
    return torch.cat(parts)
