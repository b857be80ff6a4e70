"""The colours of a person as a vector that does not know where on the body they are, so that pictures of
different poses can be compared."""

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab
from torch import Tensor

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
