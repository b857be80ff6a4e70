"""The start of localiser and mask: background subtraction, without any annotation."""

import torch
from torch import Tensor
from torch.nn import functional as F

from dpa.kernels.reference import crop, whole_frame

THRESHOLD = 0.14
"""Smallest colour difference, in [0, 1], that counts as a person. Soft shadows stay mostly below it."""
MARGIN = 1.15
SOFTNESS = 0.03
SMALLEST = 0.2


def background_boxes(frames: Tensor, plates: Tensor, plate_index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Square boxes around what differs from the plate, with a margin of 15 % (the project's choice).

    frames: [B, 3, H, W]; plates: [P, 3, H, W]; plate_index: [B]; size: side in pixels at which to look.
    Returns boxes [B, 4] and found [B] bool, False where nothing differs.
    """
    thumbnails = crop(frames, whole_frame(frames), size)
    background = crop(plates, whole_frame(plates), size)[plate_index]
    differs = (thumbnails - background).abs().amax(1, keepdim=True) > THRESHOLD
    # A 3×3 vote removes single pixels of noise, which would stretch a box across the frame.
    solid = F.avg_pool2d(differs.float(), 3, 1, 1)[:, 0] > 0.5
    centres = (2 * torch.arange(size, device=frames.device) + 1) / size - 1
    left, right = _extent(solid.any(1), centres)
    top, bottom = _extent(solid.any(2), centres)
    side = torch.maximum(right - left, bottom - top) / 2 + 1 / size
    scale = (MARGIN * side).clamp(SMALLEST, 1)
    box = torch.stack([scale, scale, (left + right) / 2, (top + bottom) / 2], dim=1)
    return box, solid.flatten(1).any(1)


def silhouette_guess(crops: Tensor, plate_crops: Tensor) -> Tensor:
    """Where a crop differs from its plate, softly. [B, 3, s, s] twice → [B, 1, s, s] in [0, 1]."""
    difference = (crops - plate_crops).abs().amax(1, keepdim=True)
    return ((difference - THRESHOLD) / SOFTNESS).sigmoid()


def _extent(occupied: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.where(occupied, centres, 2.0).amin(1)
    high = torch.where(occupied, centres, -2.0).amax(1)
    return low, high
