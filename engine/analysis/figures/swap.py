"""Figures 2 and 8."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from dpa.engine.analysis.figures.pictures import picture_rows
from dpa.engine.analysis.swap import SwapResult


def swap_figure(results: Mapping[str, SwapResult], titles: Sequence[str] = (), columns: int = 8) -> Figure:
    """Pose source, appearance donor, and the picture made of both by each network.

    results: by the network's name, of the same pairs; the first two rows are the first network's
    reconstructions. titles: of the pairs.
    """
    first = next(iter(results.values()))
    rows = [("pose from", first.source[:columns]), ("appearance from", first.donor[:columns])]
    rows += [(name, result.swapped[:columns]) for name, result in results.items()]
    return picture_rows(rows, titles[:columns])
