"""From the rotations of a dozen body parts to all 104 bones, and from the bones to the 17 joints."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .arrays import Array, unit
from .body import Body
from .rotations import blend, shortest

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
