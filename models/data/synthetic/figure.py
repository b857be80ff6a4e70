"""A dressed person: its mesh at rest, in a pose, and the shadows that it throws."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.ndimage import gaussian_filter

from .body import OFF_ARM, Body, body
from .garments import Tailor, cap, sheets
from .geometry import Array, smoothstep, unit
from .mesh import Mesh, clustered, rasterise, vertex_normals
from .motion.choreography import Seat
from .paint import GAMMA
from .room import Light, reaching
from .wardrobe import Head, Outfit

# The stool that people sit on: a disc on four legs.


RADIUS, THICKNESS, LEG = 0.20, 0.05, 0.018  # metres
LEG_AT = (0.8, 2.4, 3.9, 5.5)  # radians around the disc
ROUND = 24


def _cylinder(x: float, y: float, radius: float, low: float, high: float) -> tuple[Array, Array, Array]:
    """Side and top of an upright cylinder: vertices, normals [n, 3], faces."""
    angle = np.linspace(0, 2 * np.pi, ROUND, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    foot = ring * radius + [x, y, low]
    rim = ring * radius + [x, y, high]
    up = np.tile([0.0, 0.0, 1.0], (ROUND + 1, 1))
    vertices = np.concatenate([foot, rim, rim, [[x, y, high]]])
    normals = np.concatenate([ring, ring, up])
    i = np.arange(ROUND)
    j = (i + 1) % ROUND
    side = np.concatenate([np.stack([i, j, ROUND + j], 1), np.stack([i, ROUND + j, ROUND + i], 1)])
    cover = np.stack([np.full(ROUND, 3 * ROUND), 2 * ROUND + i, 2 * ROUND + j], axis=1)
    return vertices, normals, np.concatenate([side, cover])


@lru_cache(maxsize=64)
def stool(x: float, y: float, height: float) -> tuple[Array, Array, Array]:
    """Vertices, normals [n, 3] float32 metres and faces [m, 3] of a stool whose top is at `height`."""
    parts = [_cylinder(x, y, RADIUS, height - THICKNESS, height)]
    for angle in LEG_AT:
        leg = (x + 0.15 * np.cos(angle), y + 0.15 * np.sin(angle))
        parts.append(_cylinder(*leg, LEG, 0.0, height - THICKNESS))
    starts = np.cumsum([0] + [len(p[0]) for p in parts[:-1]])
    faces = np.concatenate([p[2] + s for p, s in zip(parts, starts, strict=True)])
    vertices, normals = (np.concatenate([p[k] for p in parts]).astype(np.float32) for k in (0, 1))
    return vertices, normals, faces.astype(np.int32)


# A dressed figure: skin, clothes and hair as one skinned mesh, ready to pose and draw.


class Material(IntEnum):
    """What a face is made of."""

    SKIN = 0
    TOP = 1
    TROUSERS = 2
    SHOE = 3
    HAIR = 4
    EYE = 5
    SKIRT = 6
    PROP = 7


@dataclass(frozen=True)
class Figure:
    """V vertices: position, normals [V, 3], attributes [V, 5] = (rest, arm, edge), weights csr [V, 104].

    faces [F, 3] have a material [F].
    """

    body: Body
    outfit: Outfit
    head: Head
    faces: Array
    material: Array
    position: Array
    normals: Array
    attributes: Array
    weights: "sparse.csr_matrix"

    def skin(self, rotations: Array, heads: Array) -> tuple[Array, Array]:
        """Posed vertices and normals [V, 3] for bone rotations [104, 3, 3] and heads [104, 3] metres."""
        offset = heads - np.einsum("bij,bj->bi", rotations, self.body.heads)
        bones = np.concatenate([rotations.reshape(-1, 9), offset], axis=1).astype(np.float32)
        blended = self.weights @ bones
        turn = blended[:, :9].reshape(-1, 3, 3)
        position = np.einsum("vij,vj->vi", turn, self.position) + blended[:, 9:]
        return position, np.einsum("vij,vj->vi", turn, self.normals)


def _skin(tailor: Tailor) -> tuple[Mesh, Array]:
    """Skin and eyes, sunk a little under the clothes and left out where well covered; and which are eyes."""
    body = tailor.body
    mesh = body.part("body")
    arm = body.arm_coordinate(mesh)
    depth = tailor.covered(mesh.position, arm)
    sunk = mesh.position - vertex_normals(mesh.position, mesh.faces) * (
        0.009 * smoothstep(depth, -0.004, 0.008)[:, None]
    )
    eye = body.anatomy.is_eye[np.unique(body.anatomy.faces["body"])]
    mesh = mesh.with_channels(rest=mesh.position, position=sunk, arm=arm, edge=depth, eye=eye)
    seen = ~(depth[mesh.faces] > 0.022).all(axis=1)
    mesh = Mesh(mesh.faces[seen], mesh.channels).compact()
    return mesh, mesh.channels["eye"][:, 0] > 0.5


def _layers(tailor: Tailor, head: Head) -> list[tuple[Mesh, Array]]:
    """(mesh, material of each vertex) from the inside out."""
    skin, eye = _skin(tailor)
    parts = [(skin, np.where(eye, Material.EYE, Material.SKIN))]

    def add(mesh: Mesh, material: Material) -> None:
        parts.append((mesh, np.full(len(mesh.position), int(material))))

    add(tailor.shoes(), Material.SHOE)
    if tailor.outfit.skirt is None:
        add(tailor.trousers(), Material.TROUSERS)
    else:
        add(tailor.skirt(tailor.outfit.skirt), Material.SKIRT)
    add(tailor.top(), Material.TOP)
    add(cap(tailor.body, head), Material.HAIR)
    if head.style != "short":
        for sheet in sheets(tailor.body, head.style == "long"):
            add(sheet, Material.HAIR)
    return parts


@lru_cache(maxsize=32)
def figure(subject: str, outfit: Outfit, head: Head, cell: float) -> Figure:
    """One subject's body in an outfit; `cell` metres: how coarse the pixels allow it (0: full)."""
    tailor = Tailor(body(subject), outfit)
    columns: list[Array] = []
    faces: list[Array] = []
    materials: list[Array] = []
    weights = []
    count = 0
    for mesh, material in _layers(tailor, head):
        labelled = mesh.with_channels(normals=vertex_normals(mesh.position, mesh.faces), material=material)
        coarse = clustered(labelled, cell, material)
        c = coarse.channels
        columns.append(np.concatenate([c[k] for k in ("position", "normals", "rest", "arm", "edge")], axis=1))
        materials.append(np.rint(c["material"][coarse.faces[:, 0], 0]).astype(np.int8))
        weights.append(sparse.csr_matrix(c["weights"]))
        faces.append(coarse.faces + count)
        count += len(coarse.position)
    table = np.concatenate(columns).astype(np.float32)
    return Figure(
        body=tailor.body,
        outfit=tailor.outfit,
        head=head,
        faces=np.concatenate(faces).astype(np.int32),
        material=np.concatenate(materials),
        position=table[:, :3],
        normals=unit(table[:, 3:6]),
        attributes=np.ascontiguousarray(table[:, 6:]),
        weights=sparse.vstack(weights).tocsr().astype(np.float32),
    )


# One moment of a clip: the posed mesh with its stool, and the shadows that all four views share.


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
    light: Light

    @property
    def middle(self) -> Array:
        """The point [3] from which the lamps are judged: above the mean of the vertices."""
        x, y = self.position[: len(self.figure.position), :2].mean(axis=0)
        return np.array([x, y, CHEST_HEIGHT], np.float32)


def posed(figure: Figure, rotations: Array, heads: Array, seat: Seat | None, light: Light) -> Posed:
    """The figure in one pose, with its stool, under a light."""
    position, normals = figure.skin(rotations, heads)
    if seat is None:
        return Posed(figure, position, normals, figure.attributes, figure.faces, figure.material, light)
    vertices, stool_normals, faces = stool(seat.x, seat.y, seat.height)
    plain = np.tile(np.array([OFF_ARM, 1.0], np.float32), (len(vertices), 1))
    return Posed(
        figure,
        np.concatenate([position, vertices]),
        np.concatenate([normals, stool_normals]),
        np.concatenate([figure.attributes, np.concatenate([vertices, plain], axis=1)]),
        np.concatenate([figure.faces, faces + len(position)]),
        np.concatenate([figure.material, np.full(len(faces), Material.PROP, np.int8)]),
        light,
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
    direction, _ = reaching(scene.light.lamps[0], middle)
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
    for lamp, blur in zip(scene.light.lamps, (0.05, 0.06), strict=True):
        direction, light = reaching(lamp, scene.middle)
        dropped = v[:, :2] - (direction[:2] / direction[2]).astype(np.float32) * v[:, 2:]
        solid = 1 - np.exp(-0.68 * _soft(_density(dropped, centre), 0.03))
        shade += _soft(solid, blur) * light.mean()
        total += 0.9 * float(light.mean())
    contact = 1 - np.exp(-0.28 * _density(v[v[:, 2] < LOW, :2], centre))
    contact = np.clip(1.6 * _soft(contact, 0.0625), 0, 1)
    left = np.clip(1 - 1.25 * shade / total, 0.15, 1) * (1 - 0.5 * contact)
    return FloorShadow(centre, (1 - left ** (1 / GAMMA)).astype(np.float32))
