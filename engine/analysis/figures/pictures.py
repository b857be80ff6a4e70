"""Rows of pictures with a name before each row, as Figures 2, 3, 6, 8 and 10 are laid out."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from dpa.engine.analysis.figures.style import TEXT, blank_figure

SIDE, NAME = 1.15, 1.5
"""Inches of a picture, and of the room before the rows."""


def picture_rows(rows: Sequence[tuple[str, Tensor]], titles: Sequence[str] = ()) -> Figure:
    """rows: name and [n, 3, h, w] in [0, 1], n the same for all; titles: [n] over the first row, or none."""
    count = len(rows[0][1])
    figure = blank_figure(NAME + SIDE * count, SIDE * len(rows) + (0.3 if titles else 0.05), gap=0.015)
    draw_rows(figure, rows, titles)
    return figure


def draw_rows(
    figure: Figure | SubFigure, rows: Sequence[tuple[str, Tensor]], titles: Sequence[str] = ()
) -> None:
    """The same into a figure that is there, with whatever room it has."""
    axes = figure.subplots(len(rows), len(rows[0][1]), squeeze=False)
    for line, (name, pictures) in zip(axes, rows, strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            show(axis, picture)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", **TEXT)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, pad=3, **TEXT)


def show(axis: Axes, picture: Tensor) -> None:
    """One picture [3, h, w] in [0, 1], without ticks or frame."""
    axis.imshow(picture.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="lanczos")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
