"""Colours: sRGB-like hex codes to linear light, and the tone curve back."""

from functools import lru_cache

import numpy as np

from .arrays import Array

GAMMA = 2.2


@lru_cache(maxsize=256)
def _linear(code: str) -> tuple[float, float, float]:
    r, g, b = (((int(code[i : i + 2], 16)) / 255) ** GAMMA for i in (0, 2, 4))
    return r, g, b


def linear(code: str) -> Array:
    """Linear RGB [3] float32 in [0, 1] of a code like "a8242c"."""
    return np.array(_linear(code), np.float32)


def tone(light: Array) -> Array:
    """Displayed RGB in [0, 1] of linear light (>= 0): a soft shoulder, then gamma."""
    x = 1.08 * light / (1 + 0.10 * light)
    return np.asarray(np.clip(x, 0, 1) ** (1 / GAMMA), np.float32)
