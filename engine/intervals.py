"""How certain a mean over frames is: 95 % intervals by resampling whole clips.

Frames of one clip resemble each other, so a hundred of them tell less than a hundred frames of a hundred
clips; what is drawn again is therefore the clip (cluster bootstrap; Efron and Tibshirani, 1993).
"""

from collections.abc import Callable

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
    return _ends(means)


def clip_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    clips: NDArray[np.generic],
    draws: int = 200,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The interval of any statistic of frames, with the clip [n] of each. statistic: called with the numbers
    of the frames of clips drawn again, a frame as often as its clip; draws of which it says nothing finite
    are left out. None where fewer than two clips, or no finite draw, are left."""
    _, clip = np.unique(np.asarray(clips), return_inverse=True)
    count = int(clip.max()) + 1 if clip.size else 0
    if count < 2:
        return None
    members = [np.flatnonzero(clip == one) for one in range(count)]
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(count, size=count) for _ in range(draws))
    values = np.array([statistic(np.concatenate([members[one] for one in some])) for some in drawn])
    return _ends(values[np.isfinite(values)])


def jackknife_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    value: float,
    clips: NDArray[np.generic],
    groups: int = 20,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The interval of a statistic that a frame taken twice would falsify, as distances of 0 do: whole clips
    are left out instead, in so many groups (Efron and Tibshirani, 1993, chapter 11). value: of all frames. By
    the normal approximation; None where there are fewer than two clips, or a figure is not finite."""
    _, clip = np.unique(np.asarray(clips), return_inverse=True)
    count = int(clip.max()) + 1 if clip.size else 0
    if count < 2:
        return None
    parts = np.array_split(np.random.default_rng(seed).permutation(count), min(groups, count))
    left = np.array([statistic(np.flatnonzero(~np.isin(clip, part))) for part in parts])
    error = float(np.sqrt((len(parts) - 1) / len(parts) * ((left - left.mean()) ** 2).sum()))
    half = 1.959964 * error
    return (value - half, value + half) if np.isfinite(half) else None


def _ends(values: NDArray[np.float64]) -> tuple[float, float] | None:
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return float(low), float(high)


def named(name: str, ends: tuple[float, float] | None) -> dict[str, float]:
    """An interval as results hold it: NAME_low and NAME_high, NaN where none is known."""
    low, high = ends or (float("nan"), float("nan"))
    return {f"{name}_low": low, f"{name}_high": high}
