"""The empty scene by temporal median, and the person by what differs from it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .conventions import BODY_MARGIN, from_corners, pixel_range

PLATE_SAMPLES: Final = 50
"""Frames that the median is over (NSD's own background pictures are medians over about as many)."""

DIFFERENCE: Final = 28
"""Of 255, in any channel: noise and shadow stay below. The project's choice."""

FAINT: Final = 14
"""Of 255: what differs by this much and is no shadow belongs to the person where it touches what differs by
DIFFERENCE: clothes that resemble the wall behind them. The project's choice."""

SHADOW: Final = (0.5, 0.12)
"""A shadow leaves at least this share of the light, and changes the channels' shares by no more than this."""

SMALLEST: Final = 0.001
"""Of the frame's area: a smaller region is no person."""

_STRIP = 64  # rows medianed at a time: the sort's copy stays small


def median_plate(films: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The empty scene, uint8 [H, W, 3]: the median over about PLATE_SAMPLES frames of all the clips, each
    [n, H, W, 3], that a camera saw from one place.

    Of an even number the lower of the two middle values. Somebody who stays where he is in all of them is
    part of it.
    """
    starts = np.cumsum([0, *(len(frames) for frames in films)])
    chosen = np.unique(np.linspace(0, starts[-1] - 1, PLATE_SAMPLES).round().astype(int))
    clips = np.searchsorted(starts, chosen, side="right") - 1
    samples = np.stack([films[clip][row - starts[clip]] for clip, row in zip(clips, chosen, strict=True)])
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
        mask = person(frame[wider], plate[wider])
        top, left = (one.start - wide.start for one, wide in zip(here, wider, strict=True))
        target = inside[here]
        target[...] = mask[top : top + target.shape[0], left : left + target.shape[1]]
        return inside
    mask = person(frame, plate)
    regions, count = ndimage.label(mask, np.ones((3, 3), bool))
    if count == 0:
        return mask
    areas = np.bincount(regions.ravel())
    areas[0] = 0
    kept = areas >= max(areas.max() / 4, SMALLEST * mask.size)
    return np.asarray(kept[regions])


def person(frame: NDArray[np.uint8], plate: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What clearly differs, and what differs faintly beside it. [H, W, 3] twice → bool [H, W]."""
    clear = without_specks(differs(frame, plate))
    if not clear.any():
        return clear
    faint = differs(frame, plate, FAINT)
    faint[faint] = ~shadow(frame[faint], plate[faint])
    regions, count = ndimage.label(clear | without_specks(faint), np.ones((3, 3), bool))
    touched = np.zeros(count + 1, bool)
    touched[regions[clear]] = True
    return np.asarray(touched[regions])


def differs(
    frame: NDArray[np.uint8], plate: NDArray[np.uint8], threshold: int = DIFFERENCE
) -> NDArray[np.bool_]:
    """Where any channel is further off than the threshold. [H, W, 3] twice → bool [H, W]."""
    far = np.maximum(frame, plate) - np.minimum(frame, plate) > threshold
    either: NDArray[np.bool_] = far[..., 0] | far[..., 1] | far[..., 2]
    return either


def shadow(frame: NDArray[np.uint8], plate: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the frame is the plate in less light. [..., 3] twice → bool [...]."""
    ratio = (frame.astype(np.float32) + 1) / (plate.astype(np.float32) + 1)
    light = ratio.mean(axis=-1)
    least, most = SHADOW
    return np.asarray((light < 1) & (light > least) & (np.ptp(ratio, axis=-1) < most))


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
