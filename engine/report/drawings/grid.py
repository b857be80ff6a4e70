"""Rows of pictures under one another, with a place for networks that are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from dpa.engine.analysis.figures.style import INK, TEXT, blank_figure, plain

Pictures = NDArray[Any]
"""uint8 [n, 3, h, w]."""

SIDE, NAME = 1.05, 1.25
"""Inches of a picture, and of the room for a row's name."""


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


@dataclass(frozen=True)
class Bars:
    """A panel of bars: values by name, an ideal, and what the axis says."""

    values: dict[str, float]
    ideal: float
    label: str


def bar_panels(panels: Sequence[Bars], colours: Sequence[str]) -> Figure:
    """Panels side by side with a bar for each network and a dashed line where disentangled codes would be:
    what is left of a figure when no frame may be shown."""
    most = max(len(panel.values) for panel in panels)
    figure = blank_figure(4.2 * len(panels), 0.9 + 0.36 * most)
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        places = np.arange(len(panel.values))[::-1]
        axis.barh(places, list(panel.values.values()), color=colours[: len(places)], height=0.6)
        for place, value in zip(places, panel.values.values(), strict=True):
            axis.annotate(
                f"{value:.0f}", (value, place), xytext=(3, 0), textcoords="offset points", va="center", **TEXT
            )
        axis.axvline(panel.ideal, color=INK, lw=1, ls="--")
        axis.set(yticks=places, yticklabels=list(panel.values), xlabel=panel.label)
        axis.set_xlim(min(0.0, *panel.values.values()), 1.18 * max(panel.ideal, *panel.values.values(), 1))
        plain(axis).grid(axis="y", visible=False)
    return figure
