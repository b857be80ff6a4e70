"""Arm patterns: each returns a function of (clip, chest, side), so that any of them goes with any base.

Hands are given relative to the shoulder as (outwards, forwards, up) in arm lengths; see Choreography.reach.
"""

import numpy as np

from ..arrays import Array
from .base import Arm
from .choreography import Choreography

Spot = tuple[float, float, float]
EAR: Spot = (0.02, 0.26, 0.30)
MOUTH: Spot = (-0.22, 0.42, 0.16)
EYE: Spot = (-0.16, 0.48, 0.30)
LAP: Spot = (-0.10, 0.48, -0.66)
PLATE: Spot = (-0.12, 0.52, -0.40)
KNEE: Spot = (0.02, 0.74, -0.62)
HIP: Spot = (0.16, 0.02, -0.70)
FOLDED: Spot = (-0.42, 0.40, -0.36)
SIDE: Spot = (0.14, 0.06, -0.95)
RAISED: Spot = (0.25, 0.15, 0.90)
STRAIGHT: Spot = (0.12, 0.93, 0.05)
WIDE: Spot = (0.92, 0.10, 0.05)

Pair = tuple[Array, Array]


def near(c: Choreography, spot: Spot, jitter: float = 0.05, drift: float = 0.02) -> tuple[Array, ...]:
    """A hand path [T] x 3 about `spot`: displaced by up to `jitter` for the clip, drifting by `drift`."""
    return tuple(x + c.pick(-jitter, jitter) + c.drift(drift, 0.3) for x in spot)


def hang(c: Choreography, chest: Array, side: str) -> Pair:
    """Loosely down, elbow a little bent."""
    bend = c.pick(6, 30)
    return c.arm(side, chest, c.pick(-6, 14) + c.drift(5), 7 + c.drift(2), c.drift(6), bend + c.drift(5))


def hold(spot: Spot, jitter: float = 0.06, elbow: float | None = None, drift: float = 0.02) -> Arm:
    """At one place, with a little life; elbow as elbow_out in Choreography.reach, random by default."""

    def arm(c: Choreography, chest: Array, side: str) -> Pair:
        out = c.pick(0.1, 0.7) if elbow is None else elbow
        return c.reach(side, chest, near(c, spot, jitter, drift), out)

    return arm


def between(
    rest: Spot, goal: Spot, slow: float = 2.0, fast: float = 4.5, share: float = 0.5, jitter: float = 0.06
) -> Arm:
    """From `rest` to `goal` and back, once in `slow` to `fast` seconds, at the goal for `share` of it."""

    def arm(c: Choreography, chest: Array, side: str) -> Pair:
        on = c.on_and_off(c.pick(slow, fast), share)
        a, b = near(c, rest, jitter), near(c, goal, jitter)
        hand = tuple(p * (1 - on) + q * on for p, q in zip(a, b, strict=True))
        return c.reach(side, chest, hand, c.pick(0.1, 0.6))

    return arm


def gesture(size: float = 0.16, centre: Spot = (0.05, 0.50, -0.35)) -> Arm:
    """Talking with the hand: it wanders about a random centre and beats now and then."""

    def arm(c: Choreography, chest: Array, side: str) -> Pair:
        wander = size * c.pick(0.5, 1.2)
        hand = tuple(x + c.pick(-0.15, 0.15) + c.drift(wander, 0.4) for x in centre)
        return c.reach(side, chest, hand, c.pick(0.0, 0.7))

    return arm


def point(c: Choreography, chest: Array, side: str) -> Pair:
    """Points somewhere with a nearly straight arm, lowers it, points again a little elsewhere."""
    azimuth = np.radians(c.pick(-35, 110) + c.drift(12, 0.3))
    elevation = np.radians(c.pick(-25, 40) + c.drift(8, 0.3))
    length = c.pick(0.86, 0.99)
    goal = (
        length * np.sin(azimuth) * np.cos(elevation),
        length * np.cos(azimuth) * np.cos(elevation),
        length * np.sin(elevation),
    )
    on = c.on_and_off(c.pick(2.2, 4.5), 0.7)
    hand = tuple(r * (1 - on) + g * on for r, g in zip(near(c, SIDE), goal, strict=True))
    return c.reach(side, chest, hand, c.pick(0.2, 0.8))


def wave(c: Choreography, chest: Array, side: str) -> Pair:
    """Raises the arm and waves the forearm."""
    on = c.on_and_off(c.pick(3.5, 6.0), 0.75)
    swing = c.pick(12, 30) * c.beat(c.pick(1.2, 2.3))
    spread, elbow = c.pick(45, 95), c.pick(45, 100)
    return c.arm(
        side,
        chest,
        6 + on * (c.pick(5, 35) + c.drift(4)),
        7 + on * (spread + c.drift(5)),
        -on * c.pick(65, 90),
        14 + on * (elbow + swing),
        on * 10,
    )


def one_of(c: Choreography, *patterns: Arm) -> Arm:
    """A random one, the same for the whole clip."""
    return patterns[int(c.rng.integers(len(patterns)))]
