"""Figure 1: how the networks learn: two frames, one encoder, two codes, one decoder, and the regressor."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from dpa.engine.drawing.grid import Shown, around, show
from dpa.engine.drawing.skeleton import draw_skeleton
from dpa.engine.drawing.style import INK, MUTED, PALE, PALETTE, blank_figure

POSE, APPEARANCE = PALETTE[0], PALETTE[4]


def schema_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Drawn with a frame, its reconstruction and its pose from the first network."""
    found = networks[0].arrays
    figure = blank_figure(10, 3.7)
    figure.set_layout_engine("none")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 10), ylim=(0, 3.7))
    axis.axis("off")
    box = np.nan_to_num(found["box"][0], nan=1.0)
    for frame, (x, y), name in (
        (found["original"][0], (0.35, 2.15), "reference frame"),
        (None, (0.35, 0.45), "another view or time"),
        (found["frames"][0, 0], (8.5, 2.15), "reconstruction"),
    ):
        picture = None if frame is None or not images else around(frame, box)
        _frame(figure, axis, picture, (x, y), name)
    for y in (2.7, 1.0):
        _arrow(axis, (1.55, y), (2.0, y))
        _trapezoid(axis, 2.0, y, 1.0, narrows=True, name="E")
    _arrow(axis, (2.5, 2.15), (2.5, 1.55), both=True, dashed=True)
    axis.text(2.62, 1.85, "shared", fontsize=8, color=INK, va="center")
    for y in (2.7, 1.0):
        _arrow(axis, (3.0, y), (3.5, y))
        _code(axis, 3.5, y + 0.05, APPEARANCE, "$h_a$", 0.35)
        _code(axis, 3.5, y - 0.55, POSE, "$h_p$", 0.5)
    _arrow(axis, (4.1, 2.42), (6.35, 2.6), colour=POSE)
    _arrow(axis, (4.1, 1.22), (6.35, 2.95), colour=APPEARANCE)
    axis.text(4.35, 2.68, "the reference frame's pose", fontsize=8, color=POSE)
    axis.text(5.35, 1.78, "the other frame's\nappearance", fontsize=8, color="#8a5a00")
    _trapezoid(axis, 6.4, 2.7, 1.0, narrows=False, name="D")
    _arrow(axis, (7.4, 2.7), (8.45, 2.7))
    _arrow(axis, (3.95, 2.15), (6.35, 0.8), colour=POSE)
    axis.add_patch(
        FancyBboxPatch((6.4, 0.5), 1.0, 0.6, boxstyle="round,pad=0.02", fc="#e6f4ee", ec=PALETTE[2], lw=1.4)
    )
    axis.text(6.9, 0.8, "φ", fontsize=14, color=INK, ha="center", va="center")
    axis.text(6.9, 0.3, "labels, encoder frozen", fontsize=8, color=INK, ha="center")
    _arrow(axis, (7.45, 0.8), (8.45, 0.8))
    pose = figure.add_axes((0.85, 0.04, 0.12, 0.4))
    draw_skeleton(pose, found["before"][0])
    axis.text(9.1, 0.08, "3D pose", fontsize=9, color=INK, ha="center")
    return figure


def _frame(
    figure: Figure, axis: Axes, picture: np.ndarray | None, corner: tuple[float, float], name: str
) -> None:
    x, y = corner
    if picture is None:
        axis.add_patch(Rectangle((x, y), 1.15, 1.15, fc=PALE, ec=MUTED, lw=1, ls="--"))
    else:
        show(figure.add_axes((x / 10, y / 3.7, 0.115, 1.15 / 3.7)), np.moveaxis(picture, -1, 0))
    axis.text(x + 0.575, y - 0.16, name, fontsize=9, color=INK, ha="center")


def _trapezoid(axis: Axes, x: float, y: float, width: float, *, narrows: bool, name: str) -> None:
    left, right = (0.55, 0.32) if narrows else (0.32, 0.55)
    corners = [(x, y - left), (x, y + left), (x + width, y + right), (x + width, y - right)]
    axis.add_patch(Polygon(corners, closed=True, fc="#e8eef6", ec=PALETTE[0], lw=1.4))
    axis.text(x + width / 2, y, name, fontsize=14, color=INK, ha="center", va="center")


def _code(axis: Axes, x: float, y: float, colour: str, name: str, height: float) -> None:
    axis.add_patch(Rectangle((x, y), 0.22, height, fc=colour, ec="white", lw=1))
    axis.text(x + 0.28, y + height / 2, name, fontsize=11, color=INK, va="center")


def _arrow(
    axis: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = INK,
    both: bool = False,
    dashed: bool = False,
) -> None:
    axis.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="<|-|>" if both else "-|>",
            mutation_scale=12,
            color=colour,
            lw=1.3,
            ls="--" if dashed else "-",
            shrinkA=0,
            shrinkB=0,
        )
    )
