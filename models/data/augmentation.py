"""Colour and cut augmentations of crops, for "CSSL (DA)" and any other framework (paper, section 6).

The paper augments "the output of the spatial transformer with RGB jitter". Read here as: the encoder sees
augmented crops, every sample changed independently, and what is to be painted stays the plain crop, as in
any data augmentation; a jittered target would need a jittered plate behind it. So the colours that a pose
code may carry are unreliable. All ranges are the project's choice; the paper gives none.
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dpa.models import distributed
from dpa.models.config import Config

Kind = Literal["none", "rgb-jitter", "augmix", "cutmix"]
Augmentation = Callable[[Tensor], Tensor]
"""[B, 3, s, s] in [0, 1] → the same shape and range. Draws from torch's generator, which training seeds at
every step, and for the whole batch where several processes share it."""


class AugmentationRanges(Config):
    """How strong the augmentations are. `gain` 0.4: each channel times 0.6 to 1.4; `offset`: plus up to
    this; `chains`, `depth`: AugMix's own; `cut`: largest share of a crop that CutMix replaces."""

    gain: float = Field(0.4, ge=0, lt=1)
    offset: float = Field(0.1, ge=0)
    chains: int = Field(3, ge=1)
    depth: int = Field(3, ge=1)
    cut: float = Field(0.25, gt=0, le=1)


def make_augmentation(kind: Kind, ranges: AugmentationRanges) -> Augmentation | None:
    """The augmentation of that name; None for "none"."""
    kinds: dict[str, Callable[[Tensor, AugmentationRanges], Tensor]] = {
        "rgb-jitter": rgb_jitter,
        "augmix": augmix,
        "cutmix": cutmix,
    }
    return None if kind == "none" else lambda crops: kinds[kind](crops, ranges)


def rgb_jitter(crops: Tensor, ranges: AugmentationRanges) -> Tensor:
    """Each channel of each sample times its own gain plus its own offset, limited to [0, 1]."""
    gain = 1 + ranges.gain * (2 * _uniform(crops, 3, 1, 1) - 1)
    offset = ranges.offset * (2 * _uniform(crops, 3, 1, 1) - 1)
    return (crops * gain + offset).clamp(0, 1)


def augmix(crops: Tensor, ranges: AugmentationRanges) -> Tensor:
    """A random mixture of the crop and of chains of random operations on it (Hendrycks et al., 2020).

    "AugMix-style": its operations that move pixels (rotation, shear, translation) are left out, since the
    pose must stay; changes of brightness, contrast, saturation and sharpness take their place. Its
    consistency loss has no counterpart here.
    """
    weights = -(1 - _uniform(crops, ranges.chains)).log()
    weights = (weights / weights.sum(1, keepdim=True).clamp(min=1e-8))[:, :, None, None, None]
    mixed = torch.zeros_like(crops)
    for chain in range(ranges.chains):
        mixed = mixed + weights[:, chain] * _chain(crops, ranges.depth)
    share = _uniform(crops, 1, 1, 1)
    return (1 - share) * crops + share * mixed


def cutmix(crops: Tensor, ranges: AugmentationRanges) -> Tensor:
    """A rectangle of each crop comes from another crop of the batch (Yun et al., 2019).

    "CutMix-style": it mixes labels by area, which has no counterpart here; the plain crop stays the target.
    """
    side = crops.shape[-1]
    partner = torch.randperm(distributed.count() * len(crops), device=crops.device)
    others = distributed.gathered(crops)[distributed.part(partner)]
    half = (ranges.cut * _uniform(crops, 1, 1)).sqrt() / 2
    places = (torch.arange(side, device=crops.device) + 0.5) / side
    across = (places - _uniform(crops, 1, 1)).abs() < half
    down = (places[:, None] - _uniform(crops, 1, 1)).abs() < half
    return torch.where((across & down)[:, None], others, crops)


def _uniform(crops: Tensor, *shape: int) -> Tensor:
    """[B, *shape] in [0, 1)."""
    return distributed.part(torch.rand(distributed.count() * len(crops), *shape, device=crops.device))


def _chain(crops: Tensor, depth: int) -> Tensor:
    """One to `depth` random operations on each sample."""
    length = 1 + (_uniform(crops) * depth).long()
    for place in range(depth):
        chosen = (_uniform(crops) * len(OPERATIONS)).long()
        strength = 2 * _uniform(crops, 1, 1, 1) - 1
        changed = crops
        for number, operation in enumerate(OPERATIONS):
            rows = torch.nonzero((chosen == number) & (place < length))[:, 0]
            changed = changed.index_copy(0, rows, operation(crops[rows], strength[rows]).clamp(0, 1))
        crops = changed
    return crops


def autocontrast(x: Tensor, strength: Tensor) -> Tensor:
    """Each channel stretched to [0, 1], whatever the strength."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low).clamp(min=1e-3)


def brightness(x: Tensor, strength: Tensor) -> Tensor:
    """Times 0.5 to 1.5."""
    return x * (1 + strength / 2)


def contrast(x: Tensor, strength: Tensor) -> Tensor:
    """Distances to the mean grey level times 0.5 to 1.5."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (1 + strength / 2)


def saturation(x: Tensor, strength: Tensor) -> Tensor:
    """Distances to the pixel's grey level times 0 to 2."""
    grey = x.mean(1, keepdim=True)
    return grey + (x - grey) * (1 + strength)


def sharpness(x: Tensor, strength: Tensor) -> Tensor:
    """Distances to the 3×3 mean times 0 to 2."""
    smooth = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return smooth + (x - smooth) * (1 + strength)


def posterise(x: Tensor, strength: Tensor) -> Tensor:
    """4 to 32 levels."""
    levels = (18 + 14 * strength).round()
    return (x * levels).round() / levels


def solarise(x: Tensor, strength: Tensor) -> Tensor:
    """Levels above a limit between 0.5 and 1 are inverted."""
    return torch.where(x > 0.75 + strength / 4, 1 - x, x)


OPERATIONS = (autocontrast, brightness, contrast, saturation, sharpness, posterise, solarise)
"""Each maps [n, 3, s, s] in [0, 1] and a strength [n, 1, 1, 1] in [-1, 1] to new crops."""
