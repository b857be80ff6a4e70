"""Two soft ceiling lamps: where they are and how bright; shared by the room and the people."""

from dataclasses import dataclass

import numpy as np

from .arrays import Array

BRIGHTNESS = 3.4


@dataclass(frozen=True)
class Lamp:
    """position [3] metres; colour [3] linear radiance, before BRIGHTNESS."""

    position: Array
    colour: Array


LAMPS = (
    Lamp(np.array([1.2, -1.4, 2.95], np.float32), np.array([1.0, 0.97, 0.9], np.float32)),
    Lamp(np.array([-1.5, 1.2, 2.95], np.float32), 0.75 * np.array([0.95, 0.98, 1.0], np.float32)),
)


def reaching(lamp: Lamp, point: Array) -> tuple[Array, Array]:
    """Direction [3] from `point` to the lamp, and the light [3] that arrives there on a surface facing it."""
    away = lamp.position - point
    distance = float(np.linalg.norm(away))
    direction = away / distance
    return direction, lamp.colour * (BRIGHTNESS * direction[2] / distance**2)
