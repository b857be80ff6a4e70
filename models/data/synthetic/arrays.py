"""Array alias and the three vector functions that every room of the generator uses."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def smoothstep(x: Array, low: float, high: float) -> Array:
    """Cubic ramp, 0 below `low`, 1 above `high`; any shape."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def unit(v: Array, floor: float = 1e-9) -> Array:
    """Vectors [..., 3] scaled to length 1; shorter ones than `floor` stay short."""
    return np.asarray(v / np.maximum(np.sqrt(np.einsum("...i,...i->...", v, v)), floor)[..., None])


def dot(a: Array, b: Array) -> Array:
    """Inner product along the last axis: [..., 3] x [..., 3] -> [...]."""
    return np.asarray(np.einsum("...i,...i->...", a, b))
