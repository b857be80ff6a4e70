"""The four cameras, and the empty room as each of them sees it: the clean background plates."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import map_coordinates

from dpa.models.data.contract import Camera

from .geometry import Array, dot, unit
from .paint import tone
from .room import (
    BRIGHTNESS,
    FIRST_BOX,
    FLOOR,
    HALF_X,
    HALF_Y,
    HEIGHT,
    LAMPS,
    WALLS,
    Hits,
    distance_to_furniture,
    glow,
    paint,
    shadowed,
    trace,
)

# Four calibrated cameras around the room: f = 1145 px at 1000 x 1000, about 5 m from its middle.


FOCAL = 1145.0 / 1000.0  # of the frame's side
VIEWS = {  # name: (position, point looked at), metres
    "camera1": ((3.05, -4.05, 1.62), (0.0, 0.10, 0.90)),
    "camera2": ((-2.90, -4.20, 1.50), (0.05, 0.0, 0.90)),
    "camera3": ((-3.10, 4.00, 1.66), (0.0, 0.0, 0.91)),
    "camera4": ((2.95, 4.15, 1.56), (0.0, -0.05, 0.89)),
}


@dataclass(frozen=True)
class View:
    """A camera in metres for a square frame of `size` pixels.

    centre [3] world; rotation [3, 3] world to camera (x right, y down, z forward); focal in pixels;
    principal (u, v) pixels from the frame's edges.
    """

    name: str
    centre: Array
    rotation: Array
    size: int
    focal: float
    principal: tuple[float, float]

    def cropped(self, box: Array, size: int) -> "View":
        """What the camera sees of a square box θ = (s, s, tx, ty) of its frame, on size x size pixels."""
        zoom = size / (float(box[0]) * self.size)
        corner = ((float(t) - float(box[0]) + 1) / 2 * self.size for t in box[2:])
        u, v = ((p - start) * zoom for p, start in zip(self.principal, corner, strict=True))
        return View(self.name, self.centre, self.rotation, size, self.focal * zoom, (u, v))

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """World points [n, 3] metres to u, v (pixels from the frame's edges) and depth (metres), [n] each."""
        rotation, centre = self.rotation.astype(points.dtype), self.centre.astype(points.dtype)
        x, y, depth = rotation @ np.ascontiguousarray((points - centre).T)
        scale = self.focal / depth
        return x * scale + self.principal[0], y * scale + self.principal[1], depth

    def rays(self, u: Array, v: Array) -> Array:
        """World directions [..., 3] (depth 1) through pixel coordinates u, v."""
        x, y = (u - self.principal[0]) / self.focal, (v - self.principal[1]) / self.focal
        local = np.stack([x, y, np.ones_like(x)], axis=-1)
        return np.asarray(local @ self.rotation)

    def contract(self) -> Camera:
        """The same camera in the data contract's words and millimetres."""
        (u, v), f = self.principal, self.focal
        intrinsics = np.array([[f, 0, u], [0, f, v], [0, 0, 1.0]])
        translation = -self.rotation @ self.centre * 1000
        return Camera(name=self.name, intrinsics=intrinsics, rotation=self.rotation, translation=translation)


def views(size: int, zoom: float = 1.0) -> tuple[View, ...]:
    """The four cameras for frames of size x size pixels; zoom multiplies their focal length."""
    made = []
    for name, (position, target) in VIEWS.items():
        centre = np.array(position)
        forward = unit(np.array(target) - centre)
        right = unit(np.cross(forward, [0.0, 0.0, 1.0]))
        rotation = np.stack([right, np.cross(forward, right), forward])
        made.append(View(name, centre, rotation, size, FOCAL * zoom * size, (size / 2, size / 2)))
    return tuple(made)


# Clean background plates: each camera's view of the empty room, at the size that is stored.


SAMPLES = ((0.125, 0.375), (0.375, 0.875), (0.625, 0.125), (0.875, 0.625))  # rotated grid within a pixel
LAMP_HALF = 0.55  # metres: half a lamp's side, which softens shadows
ROWS = 64  # pixel rows lit at a time: bounds the memory


@dataclass(frozen=True)
class Plate:
    """image [H, W, 3] uint8; floor [H, W] float32, the share of each pixel that is floor."""

    image: Array
    floor: Array

    def cropped(self, box: Array, size: int) -> "Plate":
        """The square box θ = (s, s, tx, ty) on size x size pixels; edges are repeated outside the plate."""
        side = len(self.image)
        u = (np.arange(size) + 0.5) / size * 2 - 1
        x, y = (((float(box[0]) * u + float(t) + 1) / 2) * side - 0.5 for t in box[2:])
        at = np.meshgrid(y, x, indexing="ij")
        image, floor = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.float32)
        for k in range(3):
            image[..., k] = (
                map_coordinates(self.image[..., k].astype(np.float32), at, order=1, mode="nearest") + 0.5
            )
        map_coordinates(self.floor, at, order=1, mode="nearest", output=floor)
        return Plate(image, floor)


def _direct(hits: Hits, rng: np.random.Generator) -> Array:
    """Light [n, 3] from the lamps, each sampled at one random point per ray."""
    total = np.zeros((len(hits.point), 3), np.float32)
    lifted = hits.point + hits.normal * np.float32(1e-3)
    for lamp in LAMPS:
        spread = rng.uniform(-LAMP_HALF, LAMP_HALF, (len(hits.point), 2))
        source = lamp.position + np.concatenate([spread, np.zeros((len(spread), 1))], axis=1)
        away = (source - hits.point).astype(np.float32)
        squared = dot(away, away)
        direction = away / np.sqrt(squared)[:, None]
        facing = np.clip(dot(hits.normal, direction), 0, 1) * np.clip(direction[:, 2], 0, 1)
        total += (facing / squared * ~shadowed(lifted, away))[:, None] * lamp.colour * BRIGHTNESS
    return total


def _ambient(hits: Hits) -> Array:
    """Light [n, 3] from everywhere: less in corners and beside furniture."""
    p = hits.point
    gaps = (p[:, 2], HEIGHT - p[:, 2], p[:, 0] + HALF_X, HALF_X - p[:, 0], p[:, 1] + HALF_Y, HALF_Y - p[:, 1])
    open_share = np.ones(len(p), np.float32)
    for gap, (axis, _, _) in zip(gaps, WALLS, strict=True):
        beside = np.abs(hits.normal[:, axis]) < 0.5
        open_share *= np.where(beside, 0.62 + 0.38 * np.clip(gap / 0.7, 0, 1) ** 0.6, 1)
    on_wall = hits.surface < FIRST_BOX
    near = 0.6 + 0.4 * np.clip(distance_to_furniture(p[on_wall]) / 0.3, 0, 1) ** 0.7
    open_share[on_wall] *= near.prod(axis=1)
    return 0.42 * open_share[:, None] * np.array([1, 0.98, 0.95], np.float32)


def render(view: View) -> Plate:
    """One camera's plate: four rays a pixel, lamps as soft squares."""
    rng = np.random.default_rng(100)
    size = view.size
    image = np.zeros((size, size, 3), np.float32)
    floor = np.zeros((size, size), np.float32)
    for top in range(0, size, ROWS):
        rows = slice(top, min(top + ROWS, size))
        for dx, dy in SAMPLES:
            u, v = np.meshgrid(np.arange(size) + dx, np.arange(size)[rows] + dy)
            rays = view.rays(u, v).reshape(-1, 3).astype(np.float32)
            hits = trace(view.centre.astype(np.float32), rays)
            light = _direct(hits, rng) + _ambient(hits) + glow(hits)[:, None]
            image[rows] += (paint(hits) * light).reshape(*u.shape, 3) / len(SAMPLES)
            floor[rows] += (hits.surface == FLOOR).reshape(u.shape) / np.float32(len(SAMPLES))
    return Plate((tone(image) * 255 + 0.5).astype(np.uint8), floor)


@lru_cache(maxsize=4)
def plates(size: int, zoom: float = 1.0) -> tuple[Plate, ...]:
    """The plates of all cameras, computed once in a process."""
    return tuple(render(view) for view in views(size, zoom))
