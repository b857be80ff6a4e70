"""Figures 3 and 10."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from dpa.engine.analysis.figures.pictures import picture_rows
from dpa.engine.analysis.zero import MEAN, OWN, ZERO, ZeroResult


def zero_figure(results: Mapping[str, ZeroResult], titles: Sequence[str] = ()) -> Figure:
    """For each network three rows: own appearance code, zero, mean. titles: of the pictures, subjects say."""
    several = len(results) > 1
    rows = [
        (f"{name}\n{kind}" if several else kind, result.pictures[kind])
        for name, result in results.items()
        for kind in (OWN, ZERO, MEAN)
    ]
    return picture_rows(rows, titles)
