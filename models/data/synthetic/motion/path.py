"""Closed walking paths, measured by the distance walked along them."""

from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from .choreography import Choreography

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
    xy = xy @ turn.T + [c.pick(-0.2, 0.2), c.pick(-0.2, 0.2)]
    step = np.diff(xy, axis=0)
    distance = np.r_[0, np.cumsum(np.hypot(step[:, 0], step[:, 1]))]
    tangent = np.concatenate([step, step[:1]]) + np.concatenate([step[-1:], step])
    return Path(distance, xy, np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0])))
