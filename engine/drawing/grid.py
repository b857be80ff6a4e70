"""Networks as figures show them, and rows of pictures with a place for those that are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from dpa.engine.drawing.style import INK, TEXT, blank_figure

Pictures = NDArray[Any]
"""uint8 [n, 3, h, w]."""

SIDE, NAME = 1.05, 1.25
"""Inches of a picture, and of the room for a row's name."""


@dataclass(frozen=True)
class Shown:
    """A network as figures show it. summary, arrays: what the analysis handed out; both empty where the
    network is missing, and missing: how to get it."""

    title: str
    summary: Mapping[str, float | None] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True)
class Line:
    """name: before the row. pictures: its cells, None where the network is missing; told: what stands there
    in its place."""

    name: str
    pictures: Pictures | None
    told: str = ""


def picture_grid(lines: Sequence[Line], titles: Sequence[str], columns: int = 8) -> Figure:
    """titles: over the first row. A missing row is a grey band that says how to get it."""
    count = min(columns, max((len(line.pictures) for line in lines if line.pictures is not None), default=1))
    figure = blank_figure(NAME + SIDE * count, SIDE * len(lines) + 0.28, gap=0.012)
    fill_grid(figure, lines, titles, count)
    return figure


def fill_grid(
    figure: Figure | SubFigure, lines: Sequence[Line], titles: Sequence[str], count: int
) -> list[list[Axes]]:
    """The same into a figure that is there; returns the axes, row by row."""
    axes: list[list[Axes]] = figure.subplots(len(lines), count, squeeze=False).tolist()
    for line, row in zip(lines, axes, strict=True):
        for place, axis in enumerate(row):
            if line.pictures is not None and place < len(line.pictures):
                show(axis, line.pictures[place])
            else:
                _blank(axis, line.pictures is None)
        row[0].set_ylabel(line.name, rotation=0, ha="right", va="center", **TEXT)
        if line.pictures is None:
            told = row[-1].text(
                0.95,
                0.5,
                line.told,
                transform=row[-1].transAxes,
                ha="right",
                va="center",
                fontsize=8,
                color=INK,
                family="monospace",
                zorder=5,
                clip_on=False,
            )
            told.set_in_layout(False)  # in the last cell, drawn over the others, without widening it
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, pad=3, **TEXT)
    return axes


def show(axis: Axes, picture: Pictures) -> None:
    """One picture uint8 [3, h, w], without ticks or frame."""
    axis.imshow(np.moveaxis(picture, 0, -1), interpolation="lanczos")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def _blank(axis: Axes, missing: bool) -> None:
    axis.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.spines[:].set_visible(False)
    if missing:
        axis.set_facecolor("#eef1f5")
    else:
        axis.axis("off")


def around(picture: NDArray[np.uint8], box: NDArray[np.floating], margin: float = 1.1) -> NDArray[np.uint8]:
    """The square part of a frame [H, W, 3] around a box θ with a margin, kept inside the frame."""
    height, width = picture.shape[:2]
    scale_x, scale_y, centre_x, centre_y = (float(value) for value in box)
    side = round(min(max(scale_x * width, scale_y * height) * margin, height, width))
    top = int(np.clip(round((centre_y + 1) / 2 * height - side / 2), 0, height - side))
    start = int(np.clip(round((centre_x + 1) / 2 * width - side / 2), 0, width - side))
    return picture[top : top + side, start : start + side]
