"""The room's geometry: six walls and a dozen pieces of furniture, met by rays."""

from dataclasses import dataclass

import numpy as np

from .arrays import Array

HALF_X, HALF_Y, HEIGHT = 4.6, 5.0, 3.0  # metres
FLOOR, CEILING, WEST, EAST, SOUTH, NORTH = range(6)
WALLS = (  # axis, value, inward normal; in the order of the names above
    (2, 0.0, (0, 0, 1)),
    (2, HEIGHT, (0, 0, -1)),
    (0, -HALF_X, (1, 0, 0)),
    (0, HALF_X, (-1, 0, 0)),
    (1, -HALF_Y, (0, 1, 0)),
    (1, HALF_Y, (0, -1, 0)),
)
FIRST_BOX = len(WALLS)
FURNITURE = (  # low corner, high corner, colour
    ((-4.4, -1.9, 0), (-3.75, -0.3, 0.74), "8a6a45"),
    ((-4.45, 0.5, 0), (-4.05, 1.6, 1.9), "b9bcc0"),
    ((3.9, -0.6, 0), (4.5, 1.1, 0.82), "d8d2c4"),
    ((3.95, 1.6, 0), (4.5, 2.5, 2.0), "5d6d7c"),
    ((-1.6, 4.45, 0), (-0.2, 5.0, 0.9), "7a4a35"),
    ((1.0, 4.5, 0), (1.9, 5.0, 1.7), "c9c4b6"),
    ((-2.6, -5.0, 0), (-1.2, -4.45, 0.76), "9b9b98"),
    ((0.6, -5.0, 0), (2.2, -4.5, 1.1), "40505e"),
    ((-4.2, -1.5, 0.74), (-4.0, -0.9, 1.15), "202224"),
    ((4.1, 0, 0.82), (4.35, 0.5, 1.2), "262a30"),
    ((-1.2, 4.6, 0.9), (-0.7, 4.9, 1.25), "a33a2c"),
    ((1.0, -4.9, 1.1), (1.5, -4.6, 1.45), "b89b3c"),
)
LOW = np.array([b[0] for b in FURNITURE], np.float32)
HIGH = np.array([b[1] for b in FURNITURE], np.float32)


@dataclass(frozen=True)
class Hits:
    """Where n rays end: point, normal [n, 3] float32, surface [n] (a wall, or FIRST_BOX + furniture)."""

    point: Array
    normal: Array
    surface: Array


def trace(origin: Array, directions: Array) -> Hits:
    """Nearest surface along rays from origin [3] (inside the room) in directions [n, 3]."""
    count = len(directions)
    nearest = np.full(count, np.inf, np.float32)
    surface = np.zeros(count, np.int16)
    normal = np.zeros((count, 3), np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = (1 / directions).astype(np.float32)
        for number, (axis, value, inward) in enumerate(WALLS):
            t = (value - origin[axis]) * inverse[:, axis]
            closer = (t > 0) & (t < nearest)
            nearest[closer], surface[closer], normal[closer] = t[closer], number, inward
        for number, (low, high) in enumerate(zip(LOW, HIGH, strict=True), FIRST_BOX):
            a, b = (low - origin) * inverse, (high - origin) * inverse
            near = np.minimum(a, b)
            enter, leave = near.max(axis=1), np.maximum(a, b).min(axis=1)
            closer = np.nonzero((enter < leave) & (enter > 0) & (enter < nearest))[0]
            axis_hit = near[closer].argmax(axis=1)
            nearest[closer], surface[closer], normal[closer] = enter[closer], number, 0
            normal[closer, axis_hit] = -np.sign(directions[closer, axis_hit])
    return Hits((origin + directions * nearest[:, None]).astype(np.float32), normal, surface)


def shadowed(points: Array, towards: Array) -> Array:
    """Whether furniture stands between points [n, 3] and points + towards [n, 3]."""
    hidden = np.zeros(len(points), bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / towards
        for low, high in zip(LOW, HIGH, strict=True):
            a, b = (low - points) * inverse, (high - points) * inverse
            enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
            hidden |= (enter < leave) & (leave > 0) & (enter < 1)
    return hidden


def distance_to_furniture(points: Array) -> Array:
    """Distances [n, 12] metres from points [n, 3] to each piece."""
    gap = np.maximum(np.maximum(LOW - points[:, None], points[:, None] - HIGH), 0)
    return np.asarray(np.sqrt((gap**2).sum(axis=-1)))
