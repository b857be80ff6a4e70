"""Both feet stay where they are: standing, bending, crouching, sitting, and sitting down."""

from dataclasses import dataclass

import numpy as np

from ..body import OUT, SIDES
from ..geometry import Array, smoothstep, turn_x, turn_y, turn_z
from .choreography import Base, Choreography, Seat, ankle_height, hip_joint, sunk

ROAM = 0.85  # metres from the room's middle where people stand
SEAT_TO_HIP = 0.085  # metres from the top of the stool to the hip joints


@dataclass(frozen=True)
class Place:
    """Where a person stands (x, y metres) and which way it faces (degrees), all directions alike."""

    x: float
    y: float
    yaw: float

    @classmethod
    def drawn(cls, c: Choreography) -> "Place":
        radius, angle = c.spread * ROAM * np.sqrt(c.pick(0, 1)), c.pick(0, 2 * np.pi)
        return cls(float(radius * np.cos(angle)), float(radius * np.sin(angle)), c.pick(0, 360))

    def to_world(self, local: Array) -> Array:
        """Points [..., 3] in the person's own axes (x left, y back, z up) to the room."""
        return np.asarray(local @ turn_z(self.yaw).T + np.array([self.x, self.y, 0]))


@dataclass(frozen=True)
class Trunk:
    """Degrees [T]: the pelvis' pitch, and the chest's and head's lean (forward), twist and tilt over it."""

    pitch: Array
    lean: Array
    twist: Array
    tilt: Array
    look: Array
    nod: Array

    @classmethod
    def drawn(
        cls, c: Choreography, pitch: float | Array, lean: float | Array, liveliness: float = 1.0
    ) -> "Trunk":
        """A living trunk about a mean pitch and lean."""
        k = liveliness
        return cls(
            pitch=pitch + c.drift(1.0 * k),
            lean=lean + c.drift(3 * k),
            twist=c.pick(-18, 18) * k + c.drift(8 * k, 0.12),
            tilt=c.pick(-4, 4) * k + c.drift(2 * k),
            look=c.pick(-25, 25) * k + c.drift(16 * k, 0.13),
            nod=c.pick(-8, 10) - 2 + c.drift(6 * k, 0.2),
        )


@dataclass(frozen=True)
class Feet:
    """Metres and degrees: how the feet stand under (or before) the hips, the same in the whole clip."""

    spread: float
    forward: float
    stagger: float
    toe_out: float

    def ankle(self, c: Choreography, side: str) -> Array:
        """The ankle [3] in the person's own axes."""
        rest = c.body.head(f"foot.{side}")
        ahead = self.forward + OUT[side] * self.stagger
        return np.array([rest[0] + OUT[side] * self.spread, rest[1] - ahead, ankle_height(c, side)])


def planted(
    c: Choreography,
    place: Place,
    feet: Feet,
    trunk: Trunk,
    pelvis: Array,
    knees_apart: float,
    seat: Seat | None = None,
) -> Base:
    """The base for a pelvis path [T, 3] in the person's own axes; the legs follow by inverse kinematics."""
    facing = turn_z(np.full(c.steps, place.yaw))
    root = facing @ turn_z(0.25 * trunk.twist) @ turn_x(trunk.pitch) @ turn_y(c.drift(1.5))
    chest = root @ turn_x(trunk.lean) @ turn_z(trunk.twist) @ turn_y(trunk.tilt)
    head = chest @ turn_z(trunk.look) @ turn_x(trunk.nod - 0.4 * (trunk.lean + trunk.pitch))
    ankles = {s: np.tile(place.to_world(feet.ankle(c, s)), (c.steps, 1)) for s in SIDES}
    position = sunk(c, place.to_world(pelvis), root, ankles)
    legs, foot = {}, {}
    for s in SIDES:
        toes = turn_z(place.yaw + OUT[s] * feet.toe_out)
        pole = np.tile(turn_z(place.yaw) @ np.array([OUT[s] * knees_apart, -1, 0.25]), (c.steps, 1))
        legs[s] = c.leg(s, hip_joint(c, s, position, root), ankles[s], pole)
        foot[s] = np.tile(toes, (c.steps, 1, 1))
    thigh, shank = ({s: legs[s][k] for s in SIDES} for k in (0, 1))
    return Base(position, root, chest, head, thigh, shank, foot, foot, seat)


def standing(
    c: Choreography, bend: float | Array = 0.0, squat: float | Array = 0.0, lively: float = 1.0
) -> Base:
    """On the spot, shifting weight. bend: degrees forward, from the hips and the back; squat: metres down."""
    place = Place.drawn(c)
    feet = Feet(c.pick(-0.02, 0.09), 0.0, c.pick(-0.09, 0.09), c.pick(0, 14))
    trunk = Trunk.drawn(c, 0.45 * bend, 0.55 * bend + c.pick(-1, 5), lively)
    height = c.body.head("root")[2] - 0.012 + c.drift(0.003)
    behind = 0.0035 * np.asarray(bend) + 0.30 * np.asarray(squat)  # the weight stays over the feet
    sway = (
        c.pick(-0.03, 0.03) + c.drift(0.018, 0.12),
        c.body.head("root")[1] + c.drift(0.012, 0.15) + behind,
    )
    pelvis = np.stack([*sway, height - squat], axis=-1)
    return planted(c, place, feet, trunk, pelvis, knees_apart=c.pick(0.1, 0.35))


def _root_over_hip(c: Choreography) -> float:
    return float(c.offset("upperleg01.L", "root")[2])


def seated(c: Choreography, lean: float | None = None) -> Base:
    """On a stool, upright or leaning, the feet before it."""
    place = Place.drawn(c)
    height = c.pick(0.41, 0.49)
    feet = Feet(c.pick(-0.03, 0.08), c.pick(0.28, 0.46), c.pick(-0.07, 0.07), c.pick(0, 18))
    trunk = Trunk.drawn(c, c.pick(-8, 4), c.pick(0, 22) if lean is None else lean)
    back = float(c.body.head("root")[1])
    hip = np.stack([c.drift(0.006), back + c.drift(0.006), np.full(c.steps, height + SEAT_TO_HIP)], axis=-1)
    seat = place.to_world(np.array([0, float(c.body.head("upperleg01.L")[1]) + 0.03, 0]))
    pelvis = hip + np.array([0, 0, _root_over_hip(c)])
    stool = Seat(float(seat[0]), float(seat[1]), height)
    return planted(c, place, feet, trunk, pelvis, knees_apart=c.pick(0.05, 0.5), seat=stool)


def sitting_down(c: Choreography) -> Base:
    """Between standing and a stool, and up again, at a random moment of the cycle."""
    place = Place.drawn(c)
    height, ahead = c.pick(0.40, 0.48), c.pick(0.26, 0.40)
    down = smoothstep(np.sin(2 * np.pi * c.time / c.pick(3.0, 5.0) + c.pick(0, 2 * np.pi)), -0.7, 0.7)
    feet = Feet(c.pick(0.0, 0.08), ahead, c.pick(-0.05, 0.05), c.pick(0, 15))
    effort = 4 * down * (1 - down)
    trunk = Trunk.drawn(c, 12 * effort - 3 * down, 5 + c.pick(22, 38) * effort)
    upright = np.array([0, c.body.head("root")[1] - ahead, c.body.head("root")[2] - 0.012])
    sitting = np.array([0, c.body.head("root")[1], height + SEAT_TO_HIP + _root_over_hip(c)])
    pelvis = upright * (1 - down[:, None]) + sitting * down[:, None]
    seat = place.to_world(np.array([0, float(c.body.head("upperleg01.L")[1]) + 0.03, 0]))
    stool = Seat(float(seat[0]), float(seat[1]), height)
    return planted(c, place, feet, trunk, pelvis, knees_apart=c.pick(0.1, 0.4), seat=stool)
