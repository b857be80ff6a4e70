"""The same moment in every outfit, how far φ's pose moves, and what makes the codes vary."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dpa.engine.analysis.counterfactual import CounterfactualResult
from dpa.engine.analysis.figures.pictures import draw_rows
from dpa.engine.analysis.figures.style import INK, MUTED, PALETTE, blank_figure, plain


def counterfactual_figure(result: CounterfactualResult) -> Figure:
    """Above: one moment in every outfit. Below: the pose's shift by outfit, and what makes the codes vary."""
    figure = blank_figure(9, 4.9)
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.35))[:, 0]
    draw_rows(top, [("one moment", result.pictures)], [f"in {outfit}'s clothes" for outfit in result.outfits])
    left, right = bottom.subplots(1, 2)
    _shifts(left, result)
    _shares(right, result)
    return figure


def _shifts(axis: Axes, result: CounterfactualResult) -> None:
    shifts = [moved[np.isfinite(moved)] for moved in result.shifts()]
    axis.boxplot(
        shifts,
        tick_labels=result.outfits,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "#dbe7f3", "edgecolor": PALETTE[0]},
        medianprops={"color": PALETTE[1], "lw": 2},
        whiskerprops={"color": MUTED},
        capprops={"color": MUTED},
    )
    axis.set(xlabel="in the clothes of", ylabel="pose moved (mm)", ylim=(0, None))
    plain(axis).grid(axis="x", visible=False)


def _shares(axis: Axes, result: CounterfactualResult) -> None:
    codes = (("h_a", result.appearance_shares), ("h_p", result.pose_shares))
    left = np.zeros(len(codes))
    for colour, name in zip(PALETTE, ("pose", "body", "outfit", "outfit_and_moment"), strict=False):
        width = np.array([100 * getattr(shares, name) for _, shares in codes])
        label = "outfit × moment" if name == "outfit_and_moment" else name
        axis.barh(range(len(codes)), width, left=left, color=colour, label=label, height=0.55)
        for place, (start, share) in enumerate(zip(left, width, strict=True)):
            if share > 6:
                axis.text(
                    start + share / 2,
                    place,
                    f"{share:.0f}",
                    color="white",
                    ha="center",
                    va="center",
                    fontsize=8,
                )
        left += width
    axis.set(
        yticks=range(len(codes)), yticklabels=[name for name, _ in codes], xlim=(0, 100), ylim=(-0.6, 1.9)
    )
    axis.set_xlabel("share of the code's variance (%)")
    axis.legend(
        frameon=False,
        fontsize=8,
        ncols=4,
        loc="upper center",
        labelcolor=INK,
        columnspacing=1,
        handlelength=1,
    )
    plain(axis).grid(axis="y", visible=False)
