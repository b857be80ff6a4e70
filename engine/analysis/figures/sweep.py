"""Figure 6."""

import numpy as np
from matplotlib.figure import Figure, SubFigure

from dpa.engine.analysis.channel_sweep import SweepResult
from dpa.engine.analysis.figures.pictures import draw_rows, show
from dpa.engine.analysis.figures.style import PALETTE, TEXT, blank_figure, plain

COLUMNS = 13


def sweep_figure(result: SweepResult) -> Figure:
    """Above: A, the pictures of one pair for K = 0 to all channels, lowest appearance probability first and
    highest first, and B. Below: mean distances of pose and colours to A and to B against K."""
    figure = blank_figure(12, 4.9)
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.55))[:, 0]
    one, middle, other = top.subfigures(1, 3, squeeze=False, width_ratios=(1, COLUMNS * 0.72, 1))[0]
    for part, picture, name in zip((one, other), result.ends, "AB", strict=True):
        axis = part.subplots()
        show(axis, picture)
        axis.set_title(name, **TEXT)
    shown = np.unique(np.linspace(0, len(result.ks) - 1, COLUMNS).round().astype(int))
    strips = [(f"{order}\nfirst", strip[shown]) for order, strip in result.strips.items()]
    draw_rows(middle, strips, [f"{result.ks[place]}" for place in shown])
    _curves(bottom, result)
    return figure


def _curves(figure: SubFigure, result: SweepResult) -> None:
    kinds = (("pose", "MPJPE of φ (mm)"), ("colour", "colours (ΔE)"))
    for axis, (what, unit) in zip(figure.subplots(1, 2), kinds, strict=True):
        for order, line in (("lowest", "-"), ("highest", "--")):
            for end, colour in zip("ab", PALETTE, strict=False):
                values = getattr(getattr(result, order), f"{what}_to_{end}").mean(axis=1)
                label = f"{order} first, to {end.upper()}"
                axis.plot(result.ks, values, line, color=colour, lw=1.8, label=label)
        axis.set(xlabel="K channels replaced by B's", ylabel=unit, ylim=(0, None), xlim=(0, result.ks[-1]))
        plain(axis)
    axis.legend(frameon=False, fontsize=8)
