"""What every action starts from: a body's limbs, its random numbers, and legs that carry the trunk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..body import OUT, SIDES, Body, Parts, hanging
from ..garments import SOLE
from ..geometry import Array, dot, smoothstep, turn_x, turn_y, turn_z, two_bones

KNEE_POLE = np.array([0, -1.0, 0])
ELBOW_POLE = np.array([0, 1.0, 0])


@dataclass(frozen=True)
class Choreography:
    """One clip in the making. time: [T] seconds; every random number comes from `rng`, in a fixed order.
    spread: how far from the room's middle people stand and walk, 1 for nearly up to the frames' edges."""

    body: Body
    time: Array
    rng: np.random.Generator
    spread: float = 1.0

    @property
    def steps(self) -> int:
        return len(self.time)

    def pick(self, low: float, high: float) -> float:
        """One uniform number for the whole clip."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def side(self) -> str:
        return str(self.rng.choice(SIDES))

    def drift(self, size: float, frequency: float = 0.25) -> Array:
        """A smooth random signal [T] of about `size` standard deviation, with overtones of `frequency` Hz."""
        total = np.zeros(self.steps)
        for k in (1, 2, 3, 5):
            rate, phase = self.rng.uniform(0.7, 1.3), self.rng.uniform(0, 2 * np.pi)
            total += 0.6 * size / np.sqrt(k) * np.sin(2 * np.pi * frequency * k * rate * self.time + phase)
        return total

    def on_and_off(self, period: float, share: float = 0.6) -> Array:
        """A smooth switch [T] in [0, 1], on for about `share` of each `period` seconds, at a random phase."""
        wave = self.beat(1 / period)
        level = np.cos(np.pi * share)  # a sine is above this for `share` of the time
        return smoothstep(wave, level - 0.35, level + 0.35)

    def beat(self, frequency: float) -> Array:
        """sin(2 pi f t) at a random phase, [T]."""
        return np.sin(2 * np.pi * frequency * self.time + self.rng.uniform(0, 2 * np.pi))

    def offset(self, a: str, b: str) -> Array:
        """Rest vector [3] from bone a's head to bone b's head."""
        return self.body.head(b) - self.body.head(a)

    def leg(self, side: str, hip: Array, ankle: Array, pole: Array) -> tuple[Array, Array]:
        """Thigh and shank [T, 3, 3] for hip and ankle positions [T, 3]; the knee points along pole [T, 3]."""
        upper = self.offset(f"upperleg01.{side}", f"lowerleg01.{side}")
        lower = self.offset(f"lowerleg01.{side}", f"foot.{side}")
        return two_bones(hip, ankle, pole, upper, lower, KNEE_POLE)

    def arm(
        self,
        side: str,
        chest: Array,
        flex: float | Array,
        spread: float | Array,
        twist: float | Array,
        elbow: float | Array,
        roll: float | Array = 0.0,
    ) -> tuple[Array, Array]:
        """Upper arm and forearm [T, 3, 3] by angles in degrees from hanging, relative to chest [T, 3, 3].

        flex: forward; spread: sideways; twist: about the upper arm, positive outwards; elbow: bend;
        roll: of the forearm.
        """
        one, out = np.ones(self.steps), -OUT[side]
        upper = chest @ turn_y(out * spread * one) @ turn_x(-flex * one) @ turn_z(out * twist * one)
        lower = upper @ turn_x(-elbow * one) @ turn_z(out * roll * one)
        first, second = hanging(self.body, side)
        return upper @ first, lower @ second

    def reach(
        self, side: str, chest: Array, hand: tuple[float | Array, ...], elbow_out: float | Array = 0.5
    ) -> tuple[Array, Array]:
        """Upper arm and forearm [T, 3, 3] that bring the wrist to `hand` relative to the shoulder.

        hand: (outwards, forwards, up) in arm lengths along the chest's axes, numbers or [T] each.
        elbow_out: from 0, elbow down and back, to 1, elbow out to the side.
        """
        upper = self.offset(f"upperarm01.{side}", f"lowerarm01.{side}")
        lower = self.offset(f"lowerarm01.{side}", f"wrist.{side}")
        length = np.linalg.norm(upper) + np.linalg.norm(lower)
        one = np.ones(self.steps)
        outwards, forwards, up = (np.asarray(x) * one for x in hand)
        local = np.stack([OUT[side] * outwards, -forwards, up], axis=-1) * length
        share = np.asarray(elbow_out) * one
        pole = np.stack(
            [OUT[side] * share, 0.45 * (1 - share) + 0.1 * one, -0.9 * (1 - 0.6 * share)], axis=-1
        )
        target = np.einsum("tij,tj->ti", chest, local)
        pole = np.einsum("tij,tj->ti", chest, pole)
        return two_bones(np.zeros_like(target), target, pole, upper, lower, ELBOW_POLE)


# Where the trunk is and how the legs carry it; arms are added by `with_arms`.


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
