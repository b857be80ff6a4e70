"""Four calibrated cameras around the room: f = 1145 px at 1000 x 1000, about 5 m from its middle."""

from dataclasses import dataclass

import numpy as np

from dpa.models.data.contract import Camera

from .arrays import Array, unit

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


def views(size: int) -> tuple[View, ...]:
    """The four cameras for frames of size x size pixels."""
    made = []
    for name, (position, target) in VIEWS.items():
        centre = np.array(position)
        forward = unit(np.array(target) - centre)
        right = unit(np.cross(forward, [0.0, 0.0, 1.0]))
        rotation = np.stack([right, np.cross(forward, right), forward])
        made.append(View(name, centre, rotation, size, FOCAL * size, (size / 2, size / 2)))
    return tuple(made)
