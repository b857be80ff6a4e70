"""How certain a mean over frames is: 95 % intervals by resampling whole clips.

Frames of one clip resemble each other, so a hundred of them tell less than a hundred frames of a hundred
clips; what is drawn again is therefore the clip (cluster bootstrap; Efron and Tibshirani, 1993).
"""

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
SHARE = 0.95


def mean_interval(
    values: NDArray[np.generic], clips: NDArray[np.generic], seed: int = 0
) -> tuple[float, float] | None:
    """The interval of the mean of values [n], with the clip [n] of each; entries that are not finite are left
    out. None where fewer than two clips are left: nothing tells then.

    Of a difference between two networks on the same frames: give the differences, frame by frame (paired).
    """
    numbers = np.asarray(values, dtype=float)
    finite = np.isfinite(numbers)
    _, clip = np.unique(np.asarray(clips)[finite], return_inverse=True)
    count = int(clip.max()) + 1 if clip.size else 0
    if count < 2:
        return None
    sums, frames = np.bincount(clip, numbers[finite], count), np.bincount(clip, minlength=count)
    drawn = np.random.default_rng(seed).integers(count, size=(DRAWS, count))
    means = sums[drawn].sum(axis=1) / frames[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return float(low), float(high)
