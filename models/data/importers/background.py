"""The empty scene by temporal median, and the person by what differs from it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .conventions import BODY_MARGIN, from_corners, pixel_range

PLATE_SAMPLES: Final = 50
"""Frames that the median is over (FACTS, NSD: background)."""

DIFFERENCE: Final = 28
"""Of 255, in any channel: noise and shadow stay below. The project's choice."""

SMALLEST: Final = 0.001
"""Of the frame's area: a smaller region is no person."""

_STRIP = 64  # rows medianed at a time: the sort's copy stays small


def median_plate(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The empty scene, uint8 [H, W, 3]: the median over about PLATE_SAMPLES of the frames [n, H, W, 3].

    Of an even number the lower of the two middle values. Somebody who stays where he is, is part of it.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, PLATE_SAMPLES).round().astype(int))
    samples = np.stack([frames[i] for i in chosen])
    middle = (len(samples) - 1) // 2
    plate = np.empty(samples.shape[1:], np.uint8)
    for top in range(0, len(plate), _STRIP):
        rows = slice(top, top + _STRIP)
        plate[rows] = np.partition(samples[:, rows], middle, axis=0)[middle]
    return plate


def silhouette(
    frame: NDArray[np.uint8], plate: NDArray[np.uint8], box: NDArray[np.float32] | None
) -> NDArray[np.bool_]:
    """Where the frame [H, W, 3] differs from the plate, bool [H, W]: within the box θ [4] if there is one,
    else the largest region and what is not much smaller."""
    if box is not None:
        inside = np.zeros(frame.shape[:2], bool)
        here = pixel_range(box, (frame.shape[0], frame.shape[1]))
        # one pixel more: whether a pixel at the box's edge is a speck depends on its neighbours
        wider = tuple(slice(max(one.start - 1, 0), one.stop + 1) for one in here)
        mask = without_specks(differs(frame[wider], plate[wider]))
        top, left = (one.start - wide.start for one, wide in zip(here, wider, strict=True))
        target = inside[here]
        target[...] = mask[top : top + target.shape[0], left : left + target.shape[1]]
        return inside
    mask = without_specks(differs(frame, plate))
    regions, count = ndimage.label(mask, np.ones((3, 3), bool))
    if count == 0:
        return mask
    areas = np.bincount(regions.ravel())
    areas[0] = 0
    kept = areas >= max(areas.max() / 4, SMALLEST * mask.size)
    return np.asarray(kept[regions])


def differs(frame: NDArray[np.uint8], plate: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where any channel is further off than DIFFERENCE. [H, W, 3] twice → bool [H, W]."""
    far = np.maximum(frame, plate) - np.minimum(frame, plate) > DIFFERENCE
    either: NDArray[np.bool_] = far[..., 0] | far[..., 1] | far[..., 2]
    return either


def without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What squares of 2×2 pixels within the mask cover: its opening. bool [H, W]."""
    squares = mask[:-1, :-1] & mask[:-1, 1:] & mask[1:, :-1] & mask[1:, 1:]
    opened = np.zeros_like(mask)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            opened[rows, columns] |= squares
    return opened


def box_of(mask: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """θ [4] of the square around a silhouette with a margin; None of an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    low, high = np.array([[columns[0], rows[0]]]), np.array([[columns[-1] + 1, rows[-1] + 1]])
    boxes = from_corners(low, high, (mask.shape[0], mask.shape[1]), BODY_MARGIN)
    return np.asarray(boxes[0], np.float32)
