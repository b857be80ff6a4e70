"""A gait without skating: a stance foot is planted, rolls from heel to toe, then swings to its next place."""

from dataclasses import dataclass

import numpy as np

from ..body import OUT, SIDES
from ..geometry import Array, smoothstep, turn_x, turn_y, turn_z
from .choreography import Arm, Base, Choreography, ankle_height, hip_joint, sunk

# Closed walking paths, measured by the distance walked along them.


POINTS = 2000


@dataclass(frozen=True)
class Path:
    """distance [K] metres along one lap, xy [K, 2] metres and heading [K] radians there; laps repeat."""

    distance: Array
    xy: Array
    heading: Array

    @property
    def length(self) -> float:
        return float(self.distance[-1])

    def at(self, walked: Array) -> tuple[Array, Array]:
        """Position [T, 2] and heading [T] after `walked` [T] metres; the heading never jumps."""
        lap, within = np.divmod(walked, self.length)
        xy = np.stack([np.interp(within, self.distance, self.xy[:, k]) for k in (0, 1)], axis=-1)
        turn = self.heading[-1] - self.heading[0]
        return xy, np.interp(within, self.distance, self.heading) + lap * turn


def drawn_path(c: Choreography) -> Path:
    """An ellipse or a figure of eight of random size, place, orientation and direction."""
    a, b = c.pick(0.75, 1.25), c.pick(0.65, 1.1)
    t = np.linspace(0, 2 * np.pi, POINTS) * (1 if c.chance(0.5) else -1)
    if c.chance(0.5):
        xy = np.stack([a * np.cos(t), b * np.sin(t)], axis=1)
    else:
        xy = np.stack([1.1 * a * np.sin(t), 0.73 * b * np.sin(2 * t)], axis=1)
    angle = c.pick(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    xy = c.spread * (xy @ turn.T + [c.pick(-0.2, 0.2), c.pick(-0.2, 0.2)])
    step = np.diff(xy, axis=0)
    distance = np.r_[0, np.cumsum(np.hypot(step[:, 0], step[:, 1]))]
    tangent = np.concatenate([step, step[:1]]) + np.concatenate([step[-1:], step])
    return Path(distance, xy, np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0])))


LANDS, LEAVES, SWING = -0.55, 0.65, 0.80  # in steps: the trunk's place relative to the foot's
HEEL_STRIKE, TOE_OFF = -17.0, 52.0  # degrees of foot pitch
TOE_OUT = np.radians(13.0)
HEEL = 0.055  # metres from the ankle back to the heel's pivot
OFFSET = {"L": 0.5, "R": 1.5}  # where each foot lands, in steps


@dataclass(frozen=True)
class Gait:
    """One walk. walked [T] metres; step: metres; phase [T] radians, pi a step."""

    path: Path
    walked: Array
    step: float
    vigour: float

    @property
    def phase(self) -> Array:
        return np.pi * self.walked / self.step


def _facing(heading: Array) -> Array:
    return turn_z(np.degrees(heading) + 90)  # at rest the body faces -y


def _forward(heading: Array) -> Array:
    return np.stack([np.cos(heading), np.sin(heading)], axis=-1)


def _left(heading: Array) -> Array:
    return np.stack([-np.sin(heading), np.cos(heading)], axis=-1)


def _rolled(c: Choreography, side: str, pitch: Array) -> tuple[Array, Array]:
    """Ankle (forward, up) of a foot pitched by degrees [T] about its toe (positive) or heel (negative)."""
    toe = abs(float(c.offset(f"foot.{side}", f"toe1-1.{side}")[1]))
    ankle = ankle_height(c, side)
    cos, sin = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    forward = np.where(pitch > 0, toe * (1 - cos) + ankle * sin, -HEEL * (1 - cos))
    up = np.where(pitch > 0, toe * sin + ankle * cos, ankle * cos - HEEL * sin)
    return forward, up


def _push_off(r: Array) -> Array:
    return TOE_OFF * smoothstep(r, 0.05, 0.68) ** 1.3


@dataclass(frozen=True)
class Step:
    """One foot of a gait: ankle [T, 3], rotation, toes [T, 3, 3], bearing [T]: the share of weight on it."""

    ankle: Array
    rotation: Array
    toes: Array
    bearing: Array


def _foot(c: Choreography, gait: Gait, side: str) -> Step:
    """The foot of one side, planted, rolling or swinging."""
    landing = np.floor((gait.walked / gait.step - OFFSET[side] - LANDS) / 2) * 2 + OFFSET[side]
    r = gait.walked / gait.step - landing
    w = np.clip((r - LEAVES) / SWING, 0, 1)
    on_floor = r < LEAVES
    strike = np.where(r < -0.40, HEEL_STRIKE * (1 - (r - LANDS) / 0.15), 0)
    leaving = _push_off(np.full(c.steps, LEAVES))
    swinging = leaving * (1 - smoothstep(w, 0, 0.62)) + HEEL_STRIKE * smoothstep(w, 0.45, 1)
    pitch = np.where(on_floor, np.where(r > 0.05, _push_off(r), strike), swinging)
    lateral = OUT[side] * c.body.head("foot.L")[0] * 0.62

    def placed(landing_at: Array, foot_pitch: Array) -> tuple[Array, Array]:
        xy, heading = gait.path.at(landing_at * gait.step)
        forward, up = _rolled(c, side, foot_pitch)
        ground = xy + lateral * _left(heading) + forward[:, None] * _forward(heading)
        return np.concatenate([ground, up[:, None]], axis=1), heading

    standing, heading = placed(landing, pitch)
    lifted, _ = placed(landing, leaving)
    landed, next_heading = placed(landing + 2, np.full(c.steps, HEEL_STRIKE))
    share = w * w * (3 - 2 * w)
    flight = lifted * (1 - share[:, None]) + landed * share[:, None]
    flight[:, 2] += 0.045 * np.sin(np.pi * w) ** 1.5
    ankle = np.where(on_floor[:, None], standing, flight)
    yaw = np.where(on_floor, heading, heading + (next_heading - heading) * share) + OUT[side] * TOE_OUT
    level = _facing(yaw)
    trailing = np.where(
        on_floor, 0, smoothstep(w, 0.0, 0.5)
    )  # toes stay on the floor until the foot leaves it
    toes = level @ turn_x(np.minimum(pitch, 0) + np.maximum(pitch, 0) * trailing)
    bearing = smoothstep(r, LANDS, -0.25) * (1 - smoothstep(r, 0.25, LEAVES))
    return Step(ankle, level @ turn_x(pitch), toes, bearing)


def drawn_gait(c: Choreography, slow: float = 0.7, fast: float = 1.4) -> Gait:
    """A walk of random speed (metres a second), path and starting point."""
    leg = float(c.offset("foot.L", "upperleg01.L")[2])
    speed = c.pick(slow, fast)
    step = (0.34 + 0.30 * speed) * leg / 0.85 * c.pick(0.94, 1.06)
    path = drawn_path(c)
    start = c.pick(0, path.length)
    hurry = 0.03 * np.sin(2 * np.pi * 0.21 * c.time + c.pick(0, 6.28))  # the speed varies by 4 %
    walked = start + speed * (c.time + hurry)
    return Gait(path, walked, step, c.pick(0.7, 1.25))


def walking(c: Choreography, gait: Gait, look: float = 0.0) -> Base:
    """Trunk and legs of a gait; look: degrees that the head is turned to the left on average."""
    phase, vigour = gait.phase, gait.vigour
    xy, heading = gait.path.at(gait.walked)
    facing = _facing(heading)
    sway = 0.022 * np.sin(phase)
    height = c.body.head("root")[2] - 0.016 - 0.085 * (gait.step - 0.6)
    up = height - 0.020 * vigour * np.cos(2 * phase)
    position = np.concatenate([xy + sway[:, None] * _left(heading), up[:, None]], axis=1)
    root = (
        facing
        @ turn_z(-5 * vigour * np.cos(phase))
        @ turn_y(-2.5 * np.sin(phase))
        @ turn_x(np.full(c.steps, 2.0))
    )
    stoop = c.pick(1, 8)
    chest = facing @ turn_z(6 * vigour * np.cos(phase) + c.drift(2)) @ turn_y(1.5 * np.sin(phase))
    chest = chest @ turn_x(stoop + c.drift(1.5))
    head = facing @ turn_z(look + c.drift(13, 0.12)) @ turn_x(c.drift(4, 0.2) + c.pick(-3, 9))
    feet = {side: _foot(c, gait, side) for side in SIDES}
    bearing = {side: feet[side].bearing for side in SIDES}
    position = sunk(c, position, root, {side: feet[side].ankle for side in SIDES}, bearing)
    thigh, shank, foot, toes = {}, {}, {}, {}
    for side in SIDES:
        ankle, foot[side], toes[side] = feet[side].ankle, feet[side].rotation, feet[side].toes
        pole = foot[side] @ np.array([0, -1.0, 0])
        pole[:, 2] = 0.15
        thigh[side], shank[side] = c.leg(side, hip_joint(c, side, position, root), ankle, pole)
    return Base(position, root, chest, head, thigh, shank, foot, toes)


def swinging(gait: Gait) -> Arm:
    """The arm pattern that goes with the gait: opposite to the legs."""

    def arm(c: Choreography, chest: Array, side: str) -> tuple[Array, Array]:
        beat = -OUT[side] * np.cos(gait.phase)
        flex = 4 + 24 * gait.vigour * beat + c.drift(2)
        elbow = 18 + 12 * np.maximum(beat, -0.3) * gait.vigour + c.drift(3)
        return c.arm(side, chest, flex, 8 + c.drift(1.5), 0.0, elbow)

    return arm
