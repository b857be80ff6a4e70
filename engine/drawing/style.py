"""How the figures look: the paper's plainness, colours that a colour-blind reader can tell apart, and panels
of bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, MUTED, PALE = "#2d3748", "#90a4bf", "#e6e9ee"
TEXT: Final[dict[str, Any]] = {"fontsize": 9, "color": INK, "parse_math": False}
"""parse_math: a name with $ in it is a name."""

PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, without the yellow that a white page swallows."""

MARKERS: Final = ("o", "^", "s", "X")


def blank_figure(width: float, height: float, gap: float = 0.04) -> Figure:
    """A white figure of so many inches; gap: inches around every axis."""
    layout = ConstrainedLayoutEngine(w_pad=gap, h_pad=gap, wspace=0, hspace=0)
    return Figure(figsize=(width, height), dpi=160, facecolor="white", layout=layout)


def plain(axis: Axes) -> Axes:
    """Two spines and a pale grid behind the data."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(MUTED)
    axis.tick_params(colors=INK, labelsize=8)
    axis.grid(color=PALE, lw=0.8)
    axis.set_axisbelow(True)
    for label in (axis.xaxis.label, axis.yaxis.label, axis.title):
        label.set(**TEXT)
    return axis


def symbols(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each of up to 28 names; the marker changes first when colours run out."""
    kinds = [(colour, marker) for marker, colour in product(MARKERS, PALETTE)]
    return {name: kinds[number % len(kinds)] for number, name in enumerate(names)}


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


def legend_above(figure: Figure, axis: Axes) -> None:
    """The networks' names in one line over the axes, where they hide nothing however many there are."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(
        handles, names, frameon=False, fontsize=8, ncols=max(len(names), 1), loc="outside upper center"
    )
