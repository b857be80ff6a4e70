"""A dressed figure: skin, clothes and hair as one skinned mesh, ready to pose and draw."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from scipy import sparse

from .arrays import Array, smoothstep, unit
from .body import Body, body
from .garments import Tailor
from .hair import cap, sheets
from .mesh import Mesh, clustered, vertex_normals
from .wardrobe import HEADS, OUTFITS, Head, Outfit


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


@lru_cache(maxsize=16)
def figure(subject: str, outfit: str, cell: float) -> Figure:
    """One subject's body in one subject's outfit; `cell` metres: how coarse the pixels allow it (0: full)."""
    tailor = Tailor(body(subject), OUTFITS[outfit])
    columns: list[Array] = []
    faces: list[Array] = []
    materials: list[Array] = []
    weights = []
    count = 0
    for mesh, material in _layers(tailor, HEADS[subject]):
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
        head=HEADS[subject],
        faces=np.concatenate(faces).astype(np.int32),
        material=np.concatenate(materials),
        position=table[:, :3],
        normals=unit(table[:, 3:6]),
        attributes=np.ascontiguousarray(table[:, 6:]),
        weights=sparse.vstack(weights).tocsr().astype(np.float32),
    )
