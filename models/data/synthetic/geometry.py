"""Vectors, rotations [..., 3, 3] about axes and along shortest arcs, and two-bone inverse kinematics."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

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


def about(axis: int, degrees: float | Array) -> Array:
    """Rotation about coordinate axis 0, 1 or 2 by degrees [...] -> [..., 3, 3]."""
    angle = np.radians(np.asarray(degrees, float))
    c, s = np.cos(angle), np.sin(angle)
    out = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = c
    out[..., j, i] = s
    out[..., i, j] = -s
    return out


def turn_x(degrees: float | Array) -> Array:
    """Positive pitches a figure that faces -y forward."""
    return about(0, degrees)


def turn_y(degrees: float | Array) -> Array:
    """Positive leans a figure that faces -y towards its left."""
    return about(1, degrees)


def turn_z(degrees: float | Array) -> Array:
    """Positive turns counter-clockwise seen from above."""
    return about(2, degrees)


def shortest(a: Array, b: Array) -> Array:
    """The smallest rotation [3, 3] that turns direction a [3] onto direction b [3]."""
    a, b = unit(a), unit(b)
    v = np.cross(a, b)
    s = float(np.linalg.norm(v))
    return np.asarray(Rotation.from_rotvec(v / max(s, 1e-9) * np.arctan2(s, a @ b)).as_matrix())


def blend(a: Array, b: Array, share: float) -> Array:
    """The rotation `share` of the way from a to b, [T, 3, 3] each."""
    start, end = Rotation.from_matrix(a), Rotation.from_matrix(b)
    return np.asarray((start * Rotation.from_rotvec((start.inv() * end).as_rotvec() * share)).as_matrix())


def _frame(direction: Array, normal: Array) -> Array:
    """Orthonormal columns (direction, normal made orthogonal to it, their product), [..., 3, 3]."""
    x = unit(direction)
    y = unit(normal - dot(normal, x)[..., None] * x)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def two_bones(
    origin: Array, target: Array, pole: Array, rest_upper: Array, rest_lower: Array, rest_pole: Array
) -> tuple[Array, Array]:
    """Global rotations [T, 3, 3] of two bones from origin [T, 3] whose second one ends at target [T, 3].

    The middle joint bends towards pole [T, 3]. rest_upper, rest_lower [3]: the bones at rest, whose middle
    joint bends towards rest_pole [3]. A target out of reach is approached along its direction.
    """
    upper, lower = float(np.linalg.norm(rest_upper)), float(np.linalg.norm(rest_lower))
    away = target - origin
    along = unit(away)
    reach = np.clip(np.sqrt(dot(away, away)), abs(upper - lower) + 0.1 * lower, (upper + lower) * 0.9985)
    across = unit(pole - dot(pole, along)[..., None] * along)
    c = np.clip((upper**2 + reach**2 - lower**2) / (2 * upper * reach), -1, 1)
    s = np.sqrt(1 - c * c)
    first = c[..., None] * along + s[..., None] * across
    second = (along * reach[..., None] - upper * first) / lower
    normal = np.cross(along, across)
    rest_normal = np.cross(unit(rest_upper + rest_lower), rest_pole)
    return (
        _frame(first, normal) @ _frame(rest_upper, rest_normal).T,
        _frame(second, normal) @ _frame(rest_lower, rest_normal).T,
    )
