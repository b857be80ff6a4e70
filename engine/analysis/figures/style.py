"""How the figures look: the paper's plainness, and colours that a colour-blind reader can tell apart."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, MUTED, PALE = "#2d3748", "#90a4bf", "#e6e9ee"
TEXT: Final[dict[str, Any]] = {"fontsize": 9, "color": INK}

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
