"""The stool that people sit on: a disc on four legs."""

from functools import lru_cache

import numpy as np

from .arrays import Array

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
