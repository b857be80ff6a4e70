"""Figures 4 and 9."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dpa.engine.analysis.figures.style import INK, TEXT, blank_figure, symbols
from dpa.engine.analysis.neighbours import NeighbourAccuracy
from dpa.engine.analysis.tsne import TsneResult


def tsne_figure(results: Mapping[str, TsneResult]) -> Figure:
    """For each network: appearance codes of one subject by action, and all pose codes by subject."""
    figure = blank_figure(11, 4.3 * len(results))
    axes = figure.subplots(len(results), 2, squeeze=False)
    for (left, right), (name, result) in zip(axes, results.items(), strict=True):
        scatter(left, result.appearance_map, result.actions)
        scatter(right, result.pose_map, result.subjects)
        left.set_title(
            f"{name}: appearance codes of {result.subject}, by action\n"
            + _told("action", result.action_from_appearance),
            **TEXT,
        )
        right.set_title(
            f"{name}: pose codes, by subject\n" + _told("subject", result.subject_from_pose), **TEXT
        )
    return figure


def scatter(axis: Axes, points: NDArray[np.float32], labels: NDArray[np.str_]) -> None:
    """points: [n, 2]; labels: [n]. t-SNE's axes mean nothing, so none are drawn."""
    for label, (colour, marker) in symbols(np.unique(labels).tolist()).items():
        chosen = points[labels == label]
        axis.scatter(chosen[:, 0], chosen[:, 1], s=16, c=colour, marker=marker, label=label, alpha=0.8, lw=0)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_color("#d5dbe4")
    axis.legend(
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        fontsize=7,
        labelcolor=INK,
        handletextpad=0.2,
    )


def _told(what: str, found: NeighbourAccuracy) -> str:
    return (
        f"neighbours tell the {what}: {100 * found.accuracy:.0f} %"
        f" ({100 * found.low:.0f} to {100 * found.high:.0f}), chance {100 * found.chance:.0f} %"
    )
