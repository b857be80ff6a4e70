"""A 17-joint skeleton drawn in three dimensions on a plain 2D axis, seen slightly from the side."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating]

PARENTS: Final = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
"""Each joint's parent in the order of `JOINT_NAMES`; the hip has none."""

LEFT, RIGHT = (4, 5, 6, 11, 12, 13), (1, 2, 3, 14, 15, 16)
COLOURS = {"left": "#2b6cb0", "right": "#dd6b20", "middle": "#2d3748"}
GHOST = "#c3c9d2"
FLOOR = "#e6e9ee"
YAW, TILT = np.radians(28), np.radians(12)
HALF_WIDTH = 850.0
"""Half of what an axis shows, in mm."""


def project(points: Array) -> Array:
    """Camera axes [..., 3] mm (x right, y down, z forward) → drawing plane [..., 2] mm (right, up)."""
    x, y, z = np.moveaxis(np.asarray(points, dtype=float), -1, 0)
    right, away = x * np.cos(YAW) + z * np.sin(YAW), z * np.cos(YAW) - x * np.sin(YAW)
    return np.stack([right, -y * np.cos(TILT) + away * np.sin(TILT)], axis=-1)


def draw_skeleton(axis: "Axes", pose: Array, ghost: Array | None = None) -> None:
    """pose: [17, 3] mm, root-relative, camera axes; ghost: another pose drawn pale behind it."""
    standing = pose if ghost is None else ghost
    _floor(axis, float(standing[:, 1].max()))
    if ghost is not None:
        _bones(axis, ghost, dict.fromkeys(COLOURS, GHOST), width=2.6)
    _bones(axis, pose, COLOURS, width=2.2)
    axis.set(xlim=(-HALF_WIDTH, HALF_WIDTH), ylim=(-1.25 * HALF_WIDTH, 1.15 * HALF_WIDTH), aspect="equal")
    axis.axis("off")


def _bones(axis: "Axes", pose: Array, colours: dict[str, str], width: float) -> None:
    flat = project(pose)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        side = "left" if joint in LEFT else "right" if joint in RIGHT else "middle"
        axis.plot(*flat[[parent, joint]].T, color=colours[side], lw=width, solid_capstyle="round")
    axis.scatter(flat[:, 0], flat[:, 1], s=5, color=colours["middle"], zorder=3)


def _floor(axis: "Axes", level: float) -> None:
    """A square grid at the feet's height, 1.2 m wide, for the eye to stand on."""
    for place in np.linspace(-600, 600, 5):
        for line in (
            [[-600, level, place], [600, level, place]],
            [[place, level, -600], [place, level, 600]],
        ):
            axis.plot(*project(np.array(line)).T, color=FLOOR, lw=0.8, zorder=0)
