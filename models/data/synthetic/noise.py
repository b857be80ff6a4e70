"""Solid noise: a periodic volume of smoothed Gaussian noise, looked up by position.

Patterns and folds are evaluated at rest positions, so they stick to the cloth while the body moves.
"""

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from .arrays import Array

SIDE = 64
CELLS_PER_UNIT = 8


@lru_cache(maxsize=2)
def _volume(smoothness: float) -> Array:
    """Unit-variance noise [64, 64, 64], periodic; the same in every process."""
    seed = round(smoothness * 10)
    raw = np.random.default_rng(seed).normal(size=(SIDE,) * 3)
    smooth = gaussian_filter(raw, smoothness, mode="wrap")
    return np.asarray(smooth / smooth.std(), np.float32)


def grain(points: Array, frequency: float, *, fine: bool = True, seed: int = 0) -> Array:
    """Noise [n] at points [n, 3] metres by the nearest cell: cheap enough for every fragment."""
    cell = np.floor(points * (frequency * CELLS_PER_UNIT) + seed * 17.3).astype(np.int32) & (SIDE - 1)
    return np.asarray(_volume(1.0 if fine else 1.6)[cell[..., 0], cell[..., 1], cell[..., 2]])


def waves(points: Array, frequency: float, *, fine: bool = True, seed: int = 0) -> Array:
    """Noise [n] at points [n, 3] metres, trilinear: smooth, for displacing meshes."""
    q = points * (frequency * CELLS_PER_UNIT) + seed * 17.3
    base = np.floor(q).astype(np.int32)
    f = (q - base).astype(np.float32)
    volume = _volume(1.0 if fine else 1.6)
    total = np.zeros(points.shape[:-1], np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, f, 1 - f), axis=-1)
        i, j, k = (np.moveaxis(base + corner, -1, 0)) & (SIDE - 1)
        total += weight * volume[i, j, k]
    return total
