"""Table 3 as pictures: distance correlation beside its null, and IOB with its spread."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from dpa.engine.analysis.dependence import Dependence
from dpa.engine.analysis.figures.style import INK, MUTED, PALETTE, blank_figure, plain
from dpa.engine.analysis.iob_training import Iob

BINS = np.arange(-0.4, 1.0, 0.02)


def dependence_figure(result: Dependence) -> Figure:
    """DC and its bias-corrected twin, each over what random order makes of them."""
    figure = blank_figure(8, 2.8)
    panels = (
        ("DC, as the paper has it", result.dc, result.null.dc),
        ("dCor, bias corrected", result.dcor, result.null.dcor),
    )
    for axis, (name, value, null) in zip(figure.subplots(1, 2), panels, strict=True):
        counts = axis.hist(null, bins=BINS, color=MUTED, label=f"random order, {len(null)} times")[0]
        axis.axvline(value, color=PALETTE[1], lw=2, label=f"h_a and h_p: {value:.2f}")
        axis.set(xlim=(min(0.0, float(null.min())) - 0.03, 1.0), yticks=[], xlabel=name)
        axis.set_ylim(0, 1.5 * np.max(counts))
        axis.legend(frameon=False, fontsize=8, loc="upper center")
        plain(axis)
    return figure


def iob_figure(results: Mapping[str, Mapping[str, Iob]]) -> Figure:
    """A dot for each seed and a bar for the mean. results: by kind of decoder, then by code."""
    figure = blank_figure(5.5, 0.6 + 0.45 * sum(len(kind) for kind in results.values()))
    axis, names, place = figure.subplots(), [], 0
    for colour, (kind, codes) in zip(PALETTE, results.items(), strict=False):
        for code, iob in codes.items():
            axis.plot([iob.mean] * 2, [place - 0.3, place + 0.3], color=colour, lw=2)
            axis.scatter(iob.values, np.full(len(iob.values), place), s=22, color=colour, alpha=0.7, lw=0)
            names.append(f"IOB(I, {code})\n{kind}")
            place += 1
    axis.axvline(1, color=INK, lw=1, ls="--")
    axis.text(1, -0.7, " no better than a constant", va="center", fontsize=7, color=INK)
    axis.set(yticks=range(place), yticklabels=names, xlabel="IOB", ylim=(place - 0.5, -1))
    plain(axis)
    return figure
