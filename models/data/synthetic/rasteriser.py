"""A z-buffer rasteriser in NumPy: triangles to fragments, perspective-correct, nearest wins."""

from dataclasses import dataclass

import numpy as np

from .arrays import Array

SLACK = np.float32(1e-4)  # barycentric: pixels on an edge shared by two triangles never fall between them
SMALLEST = 1e-9  # twice the area, square pixels


@dataclass(frozen=True)
class Fragments:
    """One per covered pixel, in pixel order: pixel [n] = row * width + column, face, inverse_depth [n].

    barycentric [n, 3] is perspective-correct.
    """

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


def _spans(a: Array, b: Array, c: Array, limit: int) -> tuple[Array, Array]:
    """First pixel and number of pixels with centres between the least and greatest of three coordinates."""
    half = np.float32(0.5)
    first = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c) - half), 0)
    last = np.minimum(np.floor(np.maximum(np.maximum(a, b), c) - half), limit - 1)
    return first.astype(np.int32), np.maximum(last - first + 1, 0).astype(np.int32)


def _expanded(counts: Array) -> tuple[Array, Array]:
    """For each unit of counts [m]: which entry it belongs to, and its number within the entry."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    starts = np.cumsum(counts) - counts
    return owner, np.arange(len(owner), dtype=np.int32) - starts.astype(np.int32)[owner]


def rasterise(
    u: Array, v: Array, depth: Array, faces: Array, width: int, height: int, *, cull: bool = True
) -> Fragments:
    """Fragments of triangles faces [F, 3] over vertices at u, v [V] float32 pixels from the edges, depth > 0.

    A pixel belongs to the triangle that covers its centre with the smallest depth. With `cull`, triangles
    seen from behind (clockwise on an image whose v points down) are left out.
    """
    fa, fb, fc = (np.ascontiguousarray(faces[:, k]) for k in range(3))
    ua, va, ub, vb, uc, vc = u[fa], v[fa], u[fb], v[fb], u[fc], v[fc]
    area = (ub - ua) * (vc - va) - (uc - ua) * (vb - va)
    kept = np.nonzero(area < -SMALLEST if cull else np.abs(area) > SMALLEST)[0]
    ua, va, ub, vb, uc, vc = (x[kept] for x in (ua, va, ub, vb, uc, vc))
    left, columns = _spans(ua, ub, uc, width)
    top, rows = _spans(va, vb, vc, height)
    hit = np.nonzero(columns * rows)[0]
    kept, left, top, columns = kept[hit], left[hit], top[hit], columns[hit]
    ua, va, ub, vb, uc, vc = (x[hit] for x in (ua, va, ub, vb, uc, vc))
    scale = 1 / area[kept]
    triangle, number = _expanded(columns * rows[hit])
    row, column = np.divmod(number, columns[triangle])
    x, y = left[triangle] + column, top[triangle] + row
    # Edge functions relative to the triangle's own corner keep float32 exact enough at any image size.
    half = np.float32(0.5)
    dx = x.astype(np.float32) + half - uc[triangle]
    dy = y.astype(np.float32) + half - vc[triangle]
    l0 = ((vb - vc) * scale)[triangle] * dx + ((uc - ub) * scale)[triangle] * dy
    l1 = ((vc - va) * scale)[triangle] * dx + ((ua - uc) * scale)[triangle] * dy
    inside = np.nonzero((l0 >= -SLACK) & (l1 >= -SLACK) & (l0 + l1 <= 1 + SLACK))[0]
    l0, l1, face = l0[inside], l1[inside], kept[triangle[inside]]
    pixel = y[inside] * width + x[inside]
    w0, w1, w2 = l0 / depth[fa[face]], l1 / depth[fb[face]], (1 - l0 - l1) / depth[fc[face]]
    inverse = w0 + w1 + w2
    nearest = np.zeros(width * height, inverse.dtype)
    np.maximum.at(nearest, pixel, inverse)
    best = np.nonzero(inverse == nearest[pixel])[0]
    owner = np.full(width * height, -1, np.int64)
    owner[pixel[best]] = best
    won = owner[owner >= 0]
    barycentric = np.stack([w0[won], w1[won], w2[won]], axis=1) / inverse[won, None]
    return Fragments(pixel[won], face[won], barycentric, inverse[won])
