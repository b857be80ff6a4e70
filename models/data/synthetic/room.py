"""The room: its walls and furniture, their paint, and the lamps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .geometry import Array
from .paint import grain, linear, waves

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


# Two soft ceiling lamps: where they are and how bright; shared by the room and the people.


BRIGHTNESS = 3.4


@dataclass(frozen=True)
class Lamp:
    """position [3] metres; colour [3] linear radiance, before BRIGHTNESS."""

    position: Array
    colour: Array


LAMPS = (
    Lamp(np.array([1.2, -1.4, 2.95], np.float32), np.array([1.0, 0.97, 0.9], np.float32)),
    Lamp(np.array([-1.5, 1.2, 2.95], np.float32), 0.75 * np.array([0.95, 0.98, 1.0], np.float32)),
)


SKY = np.array([1, 0.98, 0.95], np.float32)


@dataclass(frozen=True)
class Light:
    """What falls on a person: the two lamps (the first throws the shadows), and from everywhere sky [3]."""

    lamps: tuple[Lamp, ...] = LAMPS
    sky: Array = field(default_factory=SKY.copy)


def reaching(lamp: Lamp, point: Array) -> tuple[Array, Array]:
    """Direction [3] from `point` to the lamp, and the light [3] that arrives there on a surface facing it."""
    away = lamp.position - point
    distance = float(np.linalg.norm(away))
    direction = away / distance
    return direction, lamp.colour * (BRIGHTNESS * direction[2] / distance**2)


# Colours of the room: parquet and a rug, walls with doors, windows, curtains and pictures, furniture.


Painter = Callable[[Array, Array, Array, Array], None]
"""Paints colour [n, 3] in place, for points [n, 3], their place along the wall [n] and height [n]."""


def _floor(p: Array) -> Array:
    plank = np.floor(p[:, 0] / 0.16).astype(np.int64)
    shift = (plank * 2654435 % 97) / 97.0 * 1.3
    piece = np.floor((p[:, 1] + shift) / 1.3).astype(np.int64)
    shade = ((plank * 73856093 ^ piece * 19349663) % 1000) / 1000.0
    wood = linear("a07a52") * (0.72 + 0.42 * shade)[:, None]
    along = np.stack([p[:, 0] * 3, p[:, 1] * 0.22, shade * 5], axis=1)
    wood = wood * (1 + 0.10 * grain(along, 5))[:, None]
    gap = (np.mod(p[:, 0] / 0.16, 1) < 0.02) | (np.mod((p[:, 1] + shift) / 1.3, 1) < 0.004)
    wood[gap] *= 0.45
    rug = (np.abs(p[:, 0]) < 1.75) & (np.abs(p[:, 1]) < 1.75)
    wood[rug] = _rug(p[rug])
    return wood


def _rug(p: Array) -> Array:
    colour = np.tile(linear("6e3d3a"), (len(p), 1))
    from_middle = np.maximum(np.abs(p[:, 0]), np.abs(p[:, 1]))
    colour[(from_middle > 1.5) & (from_middle < 1.62)] = linear("b79a6c")
    colour[(np.mod(p[:, 0] / 0.35, 1) < 0.08) ^ (np.mod(p[:, 1] / 0.35, 1) < 0.08)] = linear("5c3032")
    return colour * (1 + 0.16 * grain(p, 16))[:, None]


def _within(along: Array, z: Array, centre: tuple[float, float], half: tuple[float, float]) -> Array:
    return (np.abs(along - centre[0]) < half[0]) & (np.abs(z - centre[1]) < half[1])


def _framed(
    c: Array, w: Array, z: Array, at: tuple[float, float], half: tuple[float, float], code: str
) -> Array:
    """A picture's frame of colour `code` 4 cm wide; returns where the picture itself is."""
    c[_within(w, z, at, half)] = linear(code)
    return _within(w, z, at, (half[0] - 0.04, half[1] - 0.04))


def _door(c: Array, p: Array, w: Array, z: Array, at: float, half: float, top: float, code: str) -> None:
    leaf = (np.abs(w - at) < half) & (z < top)
    c[leaf] = linear(code) * (1 + 0.08 * grain(p[leaf] * [1, 4, 0.4], 4))[:, None]
    c[leaf & ((np.abs(w - at) > half - 0.05) | (z > top - 0.06))] *= 0.55


def _curtain(c: Array, w: Array, where: Array, code: str, folds: float) -> None:
    c[where] = linear(code) * (0.73 + 0.27 * np.sin(w[where] * folds + 0.7 * np.sin(w[where] * 8)))[:, None]


def _west(c: Array, p: Array, w: Array, z: Array) -> None:
    _door(c, p, w, z, 2.9, 0.48, 2.1, "7b5b3d")
    paper = _framed(c, w, z, (-1.1, 1.75), (0.55, 0.33), "31506b")
    c[paper] = linear("dfe6ea")
    c[_within(w, z, (-1.1, 1.75), (0.44, 0.22)) & (np.mod(z / 0.055, 1) < 0.35)] = linear("7a8793")


def _east(c: Array, p: Array, w: Array, z: Array) -> None:
    _curtain(c, w, (np.abs(w + 2.4) < 0.8) & (z > 0.25) & (z < 2.5), "8b2f33", 38)
    picture = _framed(c, w, z, (0.25, 1.75), (0.50, 0.38), "20262c")
    c[picture] = linear("c98d3b")
    c[picture & (np.hypot(w - 0.35, z - 1.8) < 0.2)] = linear("7d2620")


def _south(c: Array, p: Array, w: Array, z: Array) -> None:
    c[_within(w, z, (-0.6, 1.55), (0.75, 0.60))] = linear("f2f2ee")
    glass = _within(w, z, WINDOW, WINDOW_HALF)
    c[glass] = linear("bcd6ee") * 1.5
    c[glass & ((np.abs(w + 0.6) < 0.025) | (np.abs(z - 1.55) < 0.02))] = linear("f2f2ee")
    _curtain(c, w, (np.abs(w - 2.9) < 0.6) & (z > 0.15), "4a6a58", 42)


def _north(c: Array, p: Array, w: Array, z: Array) -> None:
    _door(c, p, w, z, -2.6, 0.46, 2.08, "d9d4c6")
    picture = _framed(c, w, z, (0.4, 1.7), (0.62, 0.42), "3c3a36")
    flat = np.stack([w, 0 * w, z], axis=1)[picture]
    c[picture] = np.clip(linear("5b8f7b") * (1 + 0.3 * waves(flat, 1.2, fine=False))[:, None], 0, 1)
    shelf = (np.abs(w - 3.1) < 0.9) & (z > 1.2) & (z < 2.3) & (np.mod(z / 0.37, 1) < 0.06)
    c[shelf] = linear("6d5238")


WINDOW, WINDOW_HALF = (-0.6, 1.55), (0.70, 0.55)  # on the south wall
WALL_PAINT: Mapping[int, tuple[int, str, Painter]] = {  # wall: axis along it, colour, what hangs on it
    WEST: (1, "b9bfb4", _west),
    EAST: (1, "c9bfae", _east),
    SOUTH: (0, "aeb4bd", _south),
    NORTH: (0, "c2bdb6", _north),
}


def paint(hits: Hits) -> Array:
    """Linear albedo [n, 3] of what the rays met."""
    colour = np.zeros((len(hits.surface), 3), np.float32)
    colour[hits.surface == CEILING] = linear("e6e4de")
    on_floor = hits.surface == FLOOR
    colour[on_floor] = _floor(hits.point[on_floor])
    for wall, (axis, code, painter) in WALL_PAINT.items():
        here = hits.surface == wall
        p = hits.point[here]
        z = p[:, 2]
        mottle = 1 + 0.025 * waves(p, 1.2, fine=False, seed=wall) + 0.015 * grain(p, 14, seed=wall)
        c = np.tile(linear(code), (len(p), 1)) * mottle[:, None]
        c[z < 0.1] = linear("e8e4da")
        c[(z < 0.105) & (z > 0.098)] *= 0.4
        painter(c, p, p[:, axis], z)
        colour[here] = c
    for number, (low, _, code) in enumerate(FURNITURE):
        here = hits.surface == FIRST_BOX + number
        p = hits.point[here]
        c = np.tile(linear(code), (len(p), 1))
        drawer = (np.mod((p[:, 2] - low[2]) / 0.3, 1) < 0.03) & (np.abs(hits.normal[here, 2]) < 0.5)
        c[drawer] *= 0.45
        colour[here] = c * (1 + 0.05 * grain(p, 6, seed=number))[:, None]
    return colour


def glow(hits: Hits) -> Array:
    """Light [n] that the window's glass and the ceiling add by themselves."""
    glass = _within(hits.point[:, 0], hits.point[:, 2], WINDOW, WINDOW_HALF) & (hits.surface == SOUTH)
    return np.where(glass, 0.7, 0.0) + np.where(hits.surface == CEILING, 0.25, 0.0)
