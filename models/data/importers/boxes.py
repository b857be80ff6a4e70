"""Person boxes θ = (sx, sy, tx, ty): square in pixels, with a margin; see the data contract."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

JOINT_MARGIN: Final = 1.3
"""Over the joints' extent: hands, feet and the scalp reach beyond them. The project's choice; with it the
boxes of the synthetic set, whose true extent is known, are met within about a tenth."""

BODY_MARGIN: Final = 1.15
"""Over a silhouette's extent: that of the synthetic set."""


def around_points(
    points: NDArray[np.floating], size: tuple[int, int], margin: float = JOINT_MARGIN
) -> NDArray[np.float32]:
    """Squares around points [n, j, 2] pixels of a picture of `size` (H, W) → θ [n, 4]."""
    return from_corners(points.min(axis=1), points.max(axis=1), size, margin)


def from_corners(
    low: NDArray[np.floating], high: NDArray[np.floating], size: tuple[int, int], margin: float = 1.0
) -> NDArray[np.float32]:
    """Squares about the rectangles from `low` to `high`, each [n, 2] = (u, v) pixels → θ [n, 4]."""
    width_height = np.array(size[::-1], dtype=np.float64)
    side = (high - low).max(axis=1, keepdims=True) * margin
    centre = (low + high) / width_height - 1
    return np.concatenate([side / width_height, centre], axis=1).astype(np.float32)


def pixel_range(box: NDArray[np.float32], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a frame of `size` (H, W) that a box θ [4] touches."""
    ranges = []
    for scale, shift, length in ((box[1], box[3], size[0]), (box[0], box[2], size[1])):
        low, high = ((float(shift) + sign * float(scale) + 1) / 2 * length for sign in (-1, 1))
        ranges.append(slice(max(int(np.floor(low)), 0), max(int(np.ceil(high)), 0)))
    return ranges[0], ranges[1]
