"""A z-buffer rasteriser in NumPy: triangles to fragments, perspective-correct, nearest wins."""

from dataclasses import dataclass

import numpy as np

from .arrays import Array

EDGE = -1e-4  # barycentric slack: pixels on an edge shared by two triangles never fall between them
SMALLEST = 1e-9  # twice the area, square pixels


@dataclass(frozen=True)
class Fragments:
    """One per covered pixel, in pixel order: pixel (row * width + column), face, barycentric [n, 3], inverse depth."""

    pixel: Array
    face: Array
    barycentric: Array
    inverse_depth: Array

    def interpolate(self, values: Array, faces: Array) -> Array:
        """Vertex values [V, k] at the fragments, [n, k]."""
        corners = faces[self.face]
        b = self.barycentric
        total = b[:, :1] * values[corners[:, 0]]
        total += b[:, 1:2] * values[corners[:, 1]]
        total += b[:, 2:] * values[corners[:, 2]]
        return np.asarray(total)


def rasterise(points: Array, faces: Array, width: int, height: int, *, cull: bool = True) -> Fragments:
    """Fragments of triangles `faces` [F, 3] over points [V, 3] float32 = (u, v, depth > 0), pixels from the edges.

    A pixel belongs to the triangle that covers its centre with the smallest depth. With `cull`, triangles seen from
    behind (clockwise on an image whose v points down) are left out.
    """
    a, b, c = (points[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    low = np.ceil(np.minimum(np.minimum(a, b), c)[:, :2] - 0.5)
    high = np.floor(np.maximum(np.maximum(a, b), c)[:, :2] - 0.5)
    low = np.maximum(low, 0).astype(np.int32)
    high = np.minimum(high, [width - 1, height - 1]).astype(np.int32)
    extent = high - low + 1
    facing = area < -SMALLEST if cull else np.abs(area) > SMALLEST
    kept = np.nonzero(facing & (extent[:, 0] > 0) & (extent[:, 1] > 0))[0]
    a, b, c, low, extent = a[kept], b[kept], c[kept], low[kept], extent[kept]
    scale = 1 / area[kept]
    counts = extent[:, 0] * extent[:, 1]
    triangle = np.repeat(np.arange(len(kept), dtype=np.int32), counts)
    offset = np.arange(len(triangle), dtype=np.int32) - np.repeat(np.cumsum(counts) - counts, counts).astype(
        np.int32
    )
    row, column = np.divmod(offset, extent[triangle, 0])
    x, y = low[triangle, 0] + column, low[triangle, 1] + row
    # Edge functions relative to the triangle's own corner keep float32 exact enough at any image size.
    edges = np.stack(
        [(b[:, 1] - c[:, 1]), (c[:, 0] - b[:, 0]), (c[:, 1] - a[:, 1]), (a[:, 0] - c[:, 0])], axis=1
    )
    edges = np.concatenate([edges * scale[:, None], c[:, :2]], axis=1)[triangle]
    half = np.float32(0.5)
    dx = x.astype(np.float32) + half - edges[:, 4]
    dy = y.astype(np.float32) + half - edges[:, 5]
    l0 = edges[:, 0] * dx + edges[:, 1] * dy
    l1 = edges[:, 2] * dx + edges[:, 3] * dy
    inside = np.nonzero((l0 >= EDGE) & (l1 >= EDGE) & (l0 + l1 <= 1 - EDGE))[0]
    triangle, l0, l1 = triangle[inside], l0[inside], l1[inside]
    pixel = y[inside] * width + x[inside]
    w0, w1 = l0 / a[triangle, 2], l1 / b[triangle, 2]
    w2 = (1 - l0 - l1) / c[triangle, 2]
    inverse = w0 + w1 + w2
    nearest = np.zeros(width * height, np.float32)
    np.maximum.at(nearest, pixel, inverse)
    best = np.nonzero(inverse == nearest[pixel])[0]
    owner = np.full(width * height, -1, np.int64)
    owner[pixel[best]] = best
    won = owner[owner >= 0]
    barycentric = np.stack([w0[won], w1[won], w2[won]], axis=1) / inverse[won, None]
    return Fragments(pixel[won], kept[triangle[won]], barycentric, inverse[won])
