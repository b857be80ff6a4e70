"""Triangle meshes whose vertices carry named channels, and the few operations that tailoring needs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .arrays import Array, dot, unit


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
