"""Triangle meshes whose vertices carry named channels: what tailoring does to them, and the rasteriser."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .geometry import Array, dot, unit


@dataclass(frozen=True)
class Mesh:
    """faces [F, 3] int32 into channels, each [V, k] float32; "position" [V, 3] metres is always there."""

    faces: Array
    channels: Mapping[str, Array]

    @property
    def position(self) -> Array:
        return self.channels["position"]

    def with_channels(self, **channels: Array) -> "Mesh":
        """The same faces with some channels set or replaced; [V] becomes [V, 1]."""
        fresh = {k: (v if v.ndim == 2 else v[:, None]).astype(np.float32) for k, v in channels.items()}
        return Mesh(self.faces, {**self.channels, **fresh})

    def compact(self) -> "Mesh":
        """Without the vertices that no face uses."""
        used, faces = np.unique(self.faces, return_inverse=True)
        channels = {k: v[used] for k, v in self.channels.items()}
        return Mesh(faces.reshape(self.faces.shape).astype(np.int32), channels)

    def two_sided(self) -> "Mesh":
        """Every face also the other way round."""
        return Mesh(np.concatenate([self.faces, self.faces[:, ::-1]]), self.channels)


def vertex_normals(position: Array, faces: Array) -> Array:
    """Area-weighted unit normals [V, 3] float32."""
    corners = position[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(position), 3), np.float32)
    for axis in range(3):
        total[:, axis] = sum(np.bincount(faces[:, c], flat[:, axis], len(position)) for c in range(3))
    return unit(total)


def smoothed(position: Array, faces: Array, rounds: int, step: float = 0.5) -> Array:
    """Positions [V, 3] after `rounds` of moving each vertex `step` of the way to its neighbours' mean."""
    i, j = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    size = len(position)
    links = sparse.coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), shape=(size, size)).tocsr()
    links.data[:] = 1
    degree = np.maximum(np.asarray(links.sum(axis=1)), 1)
    for _ in range(rounds):
        position = position + step * ((links @ position) / degree - position)
    return position.astype(np.float32)


def subdivided(mesh: Mesh, roundness: float = 0.6) -> Mesh:
    """Each face in four; new vertices move `roundness` of the way to the Phong surface of their edge."""
    f = mesh.faces
    edges = np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    a, b = unique.T
    channels = {k: np.concatenate([v, (v[a] + v[b]) / 2]) for k, v in mesh.channels.items()}
    normals = vertex_normals(mesh.position, f)
    middle = (mesh.position[a] + mesh.position[b]) / 2
    onto = [middle - dot(middle - mesh.position[v], normals[v])[:, None] * normals[v] for v in (a, b)]
    rounded = middle * (1 - roundness) + roundness * (onto[0] + onto[1]) / 2
    channels["position"] = np.concatenate([mesh.position, rounded])
    e0, e1, e2 = np.asarray(inverse).reshape(3, -1) + len(mesh.position)
    corners = [(f[:, 0], e0, e2), (e0, f[:, 1], e1), (e2, e1, f[:, 2]), (e0, e1, e2)]
    faces = np.concatenate([np.stack(c, axis=1) for c in corners])
    return Mesh(faces.astype(np.int32), channels)


def cut(mesh: Mesh, field: Array) -> Mesh:
    """The part of the mesh where `field` [V] > 0; triangles across zero are cut along it."""
    s = np.where(np.abs(field) < 1e-6, 1e-6, field)
    inside = s[mesh.faces] > 0
    count = inside.sum(axis=1)
    faces = [mesh.faces[count == 3]]
    ends: list[tuple[Array, Array]] = []
    total = len(s)

    def crossing(i: Array, j: Array) -> Array:
        nonlocal total
        ends.append((i, j))
        total += len(i)
        return np.arange(total - len(i), total)

    for k in range(3):
        a, b, c = k, (k + 1) % 3, (k + 2) % 3
        f = mesh.faces[(count == 1) & inside[:, a]]
        p, q = crossing(f[:, a], f[:, b]), crossing(f[:, a], f[:, c])
        faces.append(np.stack([f[:, a], p, q], axis=1))
        f = mesh.faces[(count == 2) & ~inside[:, a]]
        p, q = crossing(f[:, a], f[:, b]), crossing(f[:, a], f[:, c])
        faces += [np.stack([p, f[:, b], f[:, c]], axis=1), np.stack([p, f[:, c], q], axis=1)]
    i, j = (np.concatenate(part) for part in zip(*ends, strict=True))
    t = (s[i] / (s[i] - s[j])).astype(np.float32)[:, None]
    channels = {k: np.concatenate([v, v[i] * (1 - t) + v[j] * t]) for k, v in mesh.channels.items()}
    return Mesh(np.concatenate(faces).astype(np.int32), channels).compact()


def clustered(mesh: Mesh, cell: float, label: Array) -> Mesh:
    """Vertices of one `label` [V] int in one cubic cell of side `cell` metres become their mean.

    A mesh as coarse as its pixels allow skins and rasterises faster. `cell` <= 0 changes nothing.
    """
    if cell <= 0:
        return mesh
    grid = np.floor(mesh.position / cell).astype(np.int64) + 4096
    key = ((label.astype(np.int64) * 8192 + grid[:, 0]) * 8192 + grid[:, 1]) * 8192 + grid[:, 2]
    _, owner = np.unique(key, return_inverse=True)
    mean = sparse.csr_matrix((np.ones(len(key), np.float32), (owner, np.arange(len(key)))))
    mean = sparse.diags(1 / np.bincount(owner).astype(np.float32)) @ mean
    channels = {k: np.asarray(mean @ v, np.float32) for k, v in mesh.channels.items()}
    faces = owner[mesh.faces]
    solid = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Mesh(faces[solid].astype(np.int32), channels).compact()


# A z-buffer rasteriser in NumPy: triangles to fragments, perspective-correct, nearest wins.


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
