"""The fifteen actions: a base, and what the arms do over it."""

from collections.abc import Callable, Mapping

import numpy as np

from ..body import OUT
from ..geometry import Array
from .choreography import Arm, Base, Choreography, Motion, with_arms
from .planted import seated, sitting_down, standing
from .walking import drawn_gait, swinging, walking

# Arm patterns: each returns a function of (clip, chest, side), so that any of them goes with any base.
# Hands are given relative to the shoulder as (outwards, forwards, up) in arm lengths; see
# Choreography.reach.


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


# The fifteen actions of Human3.6M's vocabulary, each a random combination of a base and two arms.


def _handed(c: Choreography, base: Base, main: Arm, other: Arm) -> Motion:
    """`main` on a random side, `other` on the other one."""
    left, right = (main, other) if c.side() == "L" else (other, main)
    return with_arms(c, base, left, right)


def _idle(c: Choreography) -> Arm:
    """What the free hand of a standing person does."""
    return one_of(c, hang, hang, hold(HIP, elbow=0.95), hold(PLATE))


def _resting(c: Choreography) -> Arm:
    """What the free hand of a sitting person does."""
    return one_of(c, hold(KNEE), hold(LAP), hold(LAP), hang)


def directions(c: Choreography) -> Motion:
    """Showing the way with one arm."""
    return _handed(c, standing(c), point, _idle(c))


def discussion(c: Choreography) -> Motion:
    """Talking with one hand or both."""
    return _handed(
        c, standing(c, lively=1.3), gesture(), one_of(c, gesture(), gesture(), hang, hold(HIP, elbow=0.95))
    )


def eating(c: Choreography) -> Motion:
    """A plate in one hand, the other going to the mouth; mostly sitting."""
    base = seated(c) if c.chance(0.7) else standing(c)
    return _handed(c, base, between(PLATE, MOUTH, 1.8, 3.5), hold(PLATE))


def greeting(c: Choreography) -> Motion:
    """Waving, shaking hands or bowing with arms open."""
    kind = c.pick(0, 1)
    if kind < 0.6:
        return _handed(c, standing(c), wave, _idle(c))
    if kind < 0.8:
        return _handed(c, standing(c), between(SIDE, (0.0, 0.80, -0.42), 2.5, 4.5, 0.6), hang)
    bow = c.pick(15, 45) * c.on_and_off(c.pick(2.5, 4.0))
    return with_arms(c, standing(c, bend=bow), *(between(SIDE, (0.45, 0.6, -0.1)),) * 2)


def phoning(c: Choreography) -> Motion:
    """A telephone at the ear, standing, sitting or walking about."""
    kind = c.pick(0, 1)
    if kind < 0.4:
        return _handed(c, standing(c), hold(EAR, 0.04), one_of(c, hang, gesture(), hold(HIP, elbow=0.95)))
    if kind < 0.7:
        return _handed(c, seated(c), hold(EAR, 0.04), _resting(c))
    gait = drawn_gait(c, 0.6, 1.1)
    return _handed(c, walking(c, gait), hold(EAR, 0.04), swinging(gait))


def posing(c: Choreography) -> Motion:
    """Like a fashion model: each arm takes one of several stands, the trunk turns."""
    stands = (hold(HIP, elbow=0.95), hold(RAISED, 0.15), hold(WIDE, 0.15), hold(EAR, 0.1), hold(FOLDED), hang)
    base = standing(c, bend=c.pick(-6, 12), squat=c.pick(0, 0.06), lively=1.6)
    changing = between((0.2, 0.3, -0.7), (0.5, 0.3, 0.6), 2.5, 5.0, jitter=0.25)
    return with_arms(c, base, one_of(c, *stands, changing), one_of(c, *stands, changing))


def purchases(c: Choreography) -> Motion:
    """Reaching for things: down to the floor, in front, or up to a shelf."""
    kind = c.pick(0, 1)
    effort = c.on_and_off(c.pick(2.5, 4.5), 0.65)
    if kind < 0.55:
        bend, squat = c.pick(25, 75) * effort, c.pick(0.05, 0.42) * effort
        low = between((0.1, 0.35, -0.8), (0.05, 0.62, -0.72), jitter=0.12)
        return _handed(c, standing(c, bend, squat), low, one_of(c, low, hold(HIP, elbow=0.9), hang))
    goal = STRAIGHT if kind < 0.8 else (0.05, 0.55, 0.78)
    reaching = between(PLATE, goal, jitter=0.12)
    return _handed(c, standing(c, bend=8 * effort), reaching, one_of(c, reaching, hang, hold(PLATE)))


def sitting(c: Choreography) -> Motion:
    """On a stool, hands at rest or talking."""
    return with_arms(
        c, seated(c), *(one_of(c, _resting(c), _resting(c), gesture(), hold(FOLDED)) for _ in "LR")
    )


def sitting_down_action(c: Choreography) -> Motion:
    """Sitting down and getting up, hands on the knees or reaching forward."""
    moving = between((0.1, 0.35, -0.85), KNEE, jitter=0.1)
    return with_arms(c, sitting_down(c), *(one_of(c, moving, hold(KNEE), hang) for _ in "LR"))


def smoking(c: Choreography) -> Motion:
    """A cigarette between hand and mouth, standing or sitting."""
    base, rest = (standing(c), _idle) if c.chance(0.6) else (seated(c), _resting)
    low = SIDE if rest is _idle else LAP
    return _handed(c, base, between(low, MOUTH, 3.0, 5.0, 0.45), rest(c))


def photo(c: Choreography) -> Motion:
    """Taking a picture: both hands before the eyes, often bending the knees."""
    squat = c.pick(0, 0.30) if c.chance(0.5) else 0.0
    base = standing(c, bend=c.pick(0, 14) + 40 * squat, squat=squat)
    camera = between((-0.1, 0.5, -0.35), EYE, 3.0, 6.0, 0.75, 0.04)
    return _handed(c, base, hold(EYE, 0.05, drift=0.01), one_of(c, hold(EYE, 0.05), camera, hang))


def waiting(c: Choreography) -> Motion:
    """Standing about: arms folded, on the hips or hanging; sometimes sitting or pacing slowly."""
    kind = c.pick(0, 1)
    if kind < 0.65:
        both = one_of(c, hold(FOLDED, 0.04, 0.3), hold(HIP, elbow=0.95), hang, hold((-0.25, 0.3, -0.78)))
        return with_arms(c, standing(c, lively=1.4), both, both)
    if kind < 0.8:
        return with_arms(c, seated(c), _resting(c), _resting(c))
    gait = drawn_gait(c, 0.45, 0.8)
    both = one_of(c, hold(FOLDED, 0.04, 0.3), swinging(gait), hold((-0.25, -0.15, -0.8), elbow=0.6))
    return with_arms(c, walking(c, gait), both, both)


def walking_action(c: Choreography) -> Motion:
    """Walking with swinging arms."""
    gait = drawn_gait(c)
    return with_arms(c, walking(c, gait), swinging(gait), swinging(gait))


def walking_dog(c: Choreography) -> Motion:
    """Walking with one arm stretched forward and down, as if pulled by a lead."""
    gait = drawn_gait(c, 0.8, 1.5)
    lead = hold((0.05, c.pick(0.35, 0.8), -0.6), 0.08, drift=0.05)
    return _handed(c, walking(c, gait), lead, swinging(gait))


def walking_together(c: Choreography) -> Motion:
    """Walking, turned to a companion and talking."""
    gait = drawn_gait(c, 0.6, 1.2)
    side = c.side()
    base = walking(c, gait, look=OUT[side] * c.pick(20, 60))
    talking = {s: gesture() if s == side or c.chance(0.3) else swinging(gait) for s in "LR"}
    return with_arms(c, base, talking["L"], talking["R"])


MAKERS: Mapping[str, Callable[[Choreography], Motion]] = {
    "Directions": directions,
    "Discussion": discussion,
    "Eating": eating,
    "Greeting": greeting,
    "Phoning": phoning,
    "Photo": photo,
    "Posing": posing,
    "Purchases": purchases,
    "Sitting": sitting,
    "SittingDown": sitting_down_action,
    "Smoking": smoking,
    "Waiting": waiting,
    "Walking": walking_action,
    "WalkDog": walking_dog,
    "WalkTogether": walking_together,
}
ACTIONS = tuple(MAKERS)


def perform(c: Choreography, action: str) -> Motion:
    """The motion of one of ACTIONS for one clip."""
    return MAKERS[action](c)
