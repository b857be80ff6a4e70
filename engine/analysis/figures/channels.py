"""Figure 5."""

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from dpa.engine.analysis.channels import ChannelResult
from dpa.engine.analysis.figures.pictures import show
from dpa.engine.analysis.figures.style import MUTED, PALETTE, TEXT, blank_figure, plain


def channels_figure(
    result: ChannelResult, pictures: tuple[Tensor, Tensor], titles: tuple[str, str]
) -> Figure:
    """Left: the most similar pair, [3, h, w] in [0, 1] each, and who they are. Right: absolute differences of
    the pose codes, sorted: every pair thin, their mean bold, the mean of one subject's pairs dashed."""
    figure = blank_figure(9.5, 3.5)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 3.2))[0]
    for axis, picture, title in zip(left.subplots(2, 1), pictures, titles, strict=True):
        show(axis, picture)
        axis.set_title(title, pad=3, **TEXT)
    axis = right.subplots()
    for values in result.between:
        axis.plot(np.sort(values)[::-1], color=MUTED, lw=0.5, alpha=0.4)
    kinds = (("two subjects", result.between, "-"), ("one subject, two clips", result.within, "--"))
    for colour, (name, values, line) in zip(PALETTE, kinds, strict=False):
        axis.plot(np.sort(values, axis=1)[:, ::-1].mean(axis=0), line, color=colour, lw=2, label=name)
    axis.legend(
        frameon=False, fontsize=8, title=f"poses {result.between_pairs.distance_mm.mean():.0f} mm apart"
    )
    axis.set(
        xlabel="channels of the pose code, by difference",
        ylabel="|difference|",
        xlim=(0, result.between.shape[1] - 1),
        ylim=(0, None),
    )
    plain(axis)
    return figure
