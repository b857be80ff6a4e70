"""Where the trunk is and how the legs carry it; arms are added by `with_arms`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, dot
from ..garments import SOLE
from ..skeleton import SIDES, Parts
from .choreography import Choreography

Arm = Callable[[Choreography, Array, str], tuple[Array, Array]]
"""An arm pattern: (clip, chest [T, 3, 3], side) -> upper arm and forearm [T, 3, 3]."""

STRETCH = 0.9985  # of the leg's length: a straighter leg would flicker at the knee


@dataclass(frozen=True)
class Seat:
    """A stool: centre (x, y) and height of its top, metres."""

    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Base:
    """Trunk and legs over T frames, shapes as in skeleton.Parts."""

    position: Array
    root: Array
    chest: Array
    head: Array
    thigh: Mapping[str, Array]
    shank: Mapping[str, Array]
    foot: Mapping[str, Array]
    toes: Mapping[str, Array]
    seat: Seat | None = None


@dataclass(frozen=True)
class Motion:
    """What an action returns: the parts of the body and what it sits on."""

    parts: Parts
    seat: Seat | None


def hip_joint(c: Choreography, side: str, position: Array, root: Array) -> Array:
    """World position [T, 3] of a hip joint for a root position [T, 3] and rotation [T, 3, 3]."""
    return np.asarray(position + root @ c.offset("root", f"upperleg01.{side}"))


def ankle_height(c: Choreography, side: str) -> float:
    """Height of a flat shod foot's ankle over the floor."""
    return float(c.body.head(f"foot.{side}")[2]) + SOLE


def sunk(
    c: Choreography,
    position: Array,
    root: Array,
    ankles: Mapping[str, Array],
    bearing: Mapping[str, Array] | None = None,
) -> Array:
    """`position` [T, 3], lowered where a leg would otherwise have to be longer than it is.

    bearing: by side, the share [T] in which the foot bears weight; otherwise its leg may fall short.
    None: always.
    """
    drop = np.zeros(c.steps)
    for side in SIDES:
        hip = hip_joint(c, side, position, root)
        thigh = c.offset(f"upperleg01.{side}", f"lowerleg01.{side}")
        shank = c.offset(f"lowerleg01.{side}", f"foot.{side}")
        length = STRETCH * float(np.linalg.norm(thigh) + np.linalg.norm(shank))
        flat = (hip - ankles[side])[:, :2]
        highest = ankles[side][:, 2] + np.sqrt(np.maximum(length**2 - dot(flat, flat), 0))
        too_high = np.maximum(hip[:, 2] - highest, 0)
        drop = np.maximum(drop, too_high if bearing is None else too_high * bearing[side])
    return np.asarray(position - drop[:, None] * np.array([0, 0, 1]))


def with_arms(c: Choreography, base: Base, left: Arm, right: Arm) -> Motion:
    """The base with one pattern for each arm."""
    arms = {"L": left(c, base.chest, "L"), "R": right(c, base.chest, "R")}
    parts = Parts(
        position=base.position,
        root=base.root,
        chest=base.chest,
        head=base.head,
        upper_arm={side: arm[0] for side, arm in arms.items()},
        forearm={side: arm[1] for side, arm in arms.items()},
        thigh=base.thigh,
        shank=base.shank,
        foot=base.foot,
        toes=base.toes,
    )
    return Motion(parts, base.seat)
