"""One moment of a clip: the posed mesh with its stool, and the shadows that all four views share."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .arrays import Array
from .body import OFF_ARM
from .colour import GAMMA
from .figure import Figure, Material
from .lights import LAMPS, reaching
from .motion.base import Seat
from .rasteriser import rasterise
from .stool import stool

CHEST_HEIGHT = 0.9  # metres: lamps are judged as seen from there
MAP_SIDE, MAP_WIDTH = 160, 2.6  # the shadow map's pixels and metres
MAP_DEPTH = 10.0  # metres added to keep depths positive
BIAS = 0.028  # metres: closer surfaces do not shade each other
FLOOR_SIDE, FLOOR_WIDTH = 96, 3.2
LOW = 0.35  # metres: what is lower makes the contact shadow
AMBIENT = 0.42


@dataclass(frozen=True)
class Posed:
    """position, normals [V, 3]; attributes [V, 5] = rest, arm, edge; faces [F, 3]; material [F]."""

    figure: Figure
    position: Array
    normals: Array
    attributes: Array
    faces: Array
    material: Array

    @property
    def middle(self) -> Array:
        """The point [3] from which the lamps are judged: above the mean of the vertices."""
        x, y = self.position[: len(self.figure.position), :2].mean(axis=0)
        return np.array([x, y, CHEST_HEIGHT], np.float32)


def posed(figure: Figure, rotations: Array, heads: Array, seat: Seat | None) -> Posed:
    """The figure in one pose, with its stool."""
    position, normals = figure.skin(rotations, heads)
    if seat is None:
        return Posed(figure, position, normals, figure.attributes, figure.faces, figure.material)
    vertices, stool_normals, faces = stool(seat.x, seat.y, seat.height)
    plain = np.tile(np.array([OFF_ARM, 1.0], np.float32), (len(vertices), 1))
    return Posed(
        figure,
        np.concatenate([position, vertices]),
        np.concatenate([normals, stool_normals]),
        np.concatenate([figure.attributes, np.concatenate([vertices, plain], axis=1)]),
        np.concatenate([figure.faces, faces + len(position)]),
        np.concatenate([figure.material, np.full(len(faces), Material.PROP, np.int8)]),
    )


@dataclass(frozen=True)
class ShadowMap:
    """Distances [side, side] from the first lamp, seen in parallel; axes [3, 3]: world to its view."""

    axes: Array
    origin: Array
    depth: Array

    def light(self, points: Array) -> Array:
        """The share of the lamp that reaches points [n, 3]: four lookups each, softened edges."""
        local = (points - self.origin) @ self.axes.T
        place = local[:, :2] * (MAP_SIDE / MAP_WIDTH) + MAP_SIDE / 2
        lit = np.zeros(len(points), np.float32)
        for dx, dy in ((-0.7, -0.3), (0.3, -0.7), (0.7, 0.3), (-0.3, 0.7)):
            column = np.clip((place[:, 0] + dx).astype(np.int32), 0, MAP_SIDE - 1)
            row = np.clip((place[:, 1] + dy).astype(np.int32), 0, MAP_SIDE - 1)
            lit += self.depth[row, column] > local[:, 2] - BIAS
        return lit * np.float32(0.25)


def shadow_map(scene: Posed) -> ShadowMap:
    """What the first lamp sees of the person and the stool."""
    middle = scene.middle
    direction, _ = reaching(LAMPS[0], middle)
    x = np.cross(direction, [0, 1.0, 0])
    x /= np.linalg.norm(x)
    axes = np.stack([x, np.cross(direction, x), -direction]).astype(np.float32)
    across, along, away = axes @ np.ascontiguousarray((scene.position - middle).T)
    scale, half = np.float32(MAP_SIDE / MAP_WIDTH), np.float32(MAP_SIDE / 2)
    u, v = across * scale + half, along * scale + half
    seen = rasterise(u, v, away + np.float32(MAP_DEPTH), scene.faces, MAP_SIDE, MAP_SIDE, cull=False)
    depth = np.full(MAP_SIDE * MAP_SIDE, 99.0, np.float32)
    depth[seen.pixel] = 1 / seen.inverse_depth - MAP_DEPTH
    return ShadowMap(axes, middle, depth.reshape(MAP_SIDE, MAP_SIDE))


@dataclass(frozen=True)
class FloorShadow:
    """How much darker the displayed floor is, [side, side] in [0, 1], on a grid about `centre` [2] metres."""

    centre: Array
    darkening: Array

    def at(self, points: Array) -> Array:
        """Bilinear darkening [n] at floor points [n, 2] metres within the grid."""
        g = (points - self.centre) * np.float32(FLOOR_SIDE / FLOOR_WIDTH) + np.float32(FLOOR_SIDE / 2 - 0.5)
        corner = np.clip(g.astype(np.int32), 0, FLOOR_SIDE - 2)
        f = np.clip(g - corner, 0, 1)
        flat = self.darkening.ravel()
        k = corner[:, 1] * FLOOR_SIDE + corner[:, 0]
        upper = flat[k] * (1 - f[:, 0]) + flat[k + 1] * f[:, 0]
        lower = flat[k + FLOOR_SIDE] * (1 - f[:, 0]) + flat[k + FLOOR_SIDE + 1] * f[:, 0]
        return np.asarray(upper * (1 - f[:, 1]) + lower * f[:, 1])


def _density(points: Array, centre: Array) -> Array:
    """How many points [n, 2] fall into each cell of the floor grid."""
    cell = np.floor((points - centre) * (FLOOR_SIDE / FLOOR_WIDTH) + FLOOR_SIDE / 2).astype(np.int32)
    x, y = cell.T
    inside = (x >= 0) & (x < FLOOR_SIDE) & (y >= 0) & (y < FLOOR_SIDE)
    count = np.bincount((y * FLOOR_SIDE + x)[inside], minlength=FLOOR_SIDE**2)
    return count.reshape(FLOOR_SIDE, FLOOR_SIDE).astype(np.float32)


def _soft(grid: Array, metres: float) -> Array:
    """The floor grid blurred by a standard deviation in metres."""
    return np.asarray(gaussian_filter(grid, metres * FLOOR_SIDE / FLOOR_WIDTH, truncate=3))


def floor_shadow(scene: Posed) -> FloorShadow:
    """The lamps' soft shadows of all vertices on the floor, and a contact shadow under the low ones."""
    v = scene.position
    centre = scene.middle[:2]
    shade = np.zeros((FLOOR_SIDE, FLOOR_SIDE), np.float32)
    total = AMBIENT
    for lamp, blur in zip(LAMPS, (0.05, 0.06), strict=True):
        direction, light = reaching(lamp, scene.middle)
        dropped = v[:, :2] - (direction[:2] / direction[2]).astype(np.float32) * v[:, 2:]
        solid = 1 - np.exp(-0.68 * _soft(_density(dropped, centre), 0.03))
        shade += _soft(solid, blur) * light.mean()
        total += 0.9 * float(light.mean())
    contact = 1 - np.exp(-0.28 * _density(v[v[:, 2] < LOW, :2], centre))
    contact = np.clip(1.6 * _soft(contact, 0.0625), 0, 1)
    left = np.clip(1 - 1.25 * shade / total, 0.15, 1) * (1 - 0.5 * contact)
    return FloorShadow(centre, (1 - left ** (1 / GAMMA)).astype(np.float32))
