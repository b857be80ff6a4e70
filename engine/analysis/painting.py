"""From codes back to pictures, the colours in them, and what the network reads from its own pictures."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import rgb2lab
from torch import Tensor

from dpa.engine.analysis.codes import BATCH, Backgrounds, Network
from dpa.engine.attack.state import Rows
from dpa.kernels import composite, crop
from dpa.models.finite import require_finite


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
    again, as the attack does it. Returns [n, J, 3] mm. Raises NonFiniteOutputs."""
    parts = []
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(painted), device=box.device), batch):
            part, behind = painted.take(rows), backgrounds.index[rows]
            frames = composite(part.rgb, part.mask, box[rows], backgrounds.plates, behind)
            parts.append(network.predict(frames))
    poses = torch.cat(parts)
    require_finite("poses of its own pictures are", poses)
    return poses


Array = NDArray[np.float64]

LEVELS = (np.arange(32) + 0.5) / 32
"""The quantiles that stand for a distribution of colours."""

INSIDE = 0.5
"""Mask above which a pixel shows the person: below it, the decoder's colours are never seen."""


def colour_profile(rgb: Tensor, mask: Tensor) -> Array:
    """Quantiles of L*, a* and b* over the pixels inside the mask, each divided by √32.

    rgb: [n, 3, s, s] in [0, 1]; mask: [n, 1, s, s]; where it stays below 0.5,
    its highest pixels count. Returns [n, 96] float64.
    The Euclidean distance of two profiles is the 2-Wasserstein distance of the pictures' colours, channel
    by channel: in units of CIE 1976 ΔE, and equal to it for two plain colours.
    """
    lab = rgb2lab(rgb.detach().cpu().double().numpy(), channel_axis=1)
    alpha = mask.detach().cpu().numpy()[:, 0]
    inside = alpha >= np.minimum(INSIDE, alpha.max(axis=(1, 2), keepdims=True))
    profiles = [
        np.quantile(picture[:, shown], LEVELS, axis=1).T.ravel()
        for picture, shown in zip(lab, inside, strict=True)
    ]
    stacked: Array = np.stack(profiles) / np.sqrt(len(LEVELS))
    return stacked


def colour_distance(first: Array, second: Array) -> Array:
    """ΔE between profiles [..., 96], row by row. Returns [...]."""
    distance: Array = np.linalg.norm(first - second, axis=-1)
    return distance


def share_moved(start: Array, goal: Array, reached: Array) -> float:
    """How far profiles [n, D] went from `start` to `goal`: 0 stayed, 1 arrived; their projections on the
    way summed up, over the ways' squared lengths, so that pairs who look alike weigh little. NaN where all
    ways have length 0."""
    way = goal - start
    length = float((way * way).sum())
    return float(((reached - start) * way).sum()) / length if length > 0 else float("nan")
