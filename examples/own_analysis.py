"""An analysis of one's own: `dpa-engine analyze examples.own_analysis:rank --network zoo:nsd`.

How many directions does a code really use? The participation ratio of its covariance, (Σλ)² / Σλ²: 1 where
one direction holds all of the variance, the code's width where all hold as much. One function returns the
record; `analyze`, `reproduce`, `zoo calibrate` and the report's page take it wherever an analysis may stand.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from dpa.engine import Analysis, FigureSpec, Measure, Outcome, Scale
from dpa.engine.analysis.study import Progress, Study, to_numpy
from dpa.engine.analysis.values import number, table, words
from dpa.engine.drawing.grid import Shown
from dpa.engine.drawing.style import Bars, bar_panels
from dpa.models.config import Config


class RankOptions(Config):
    """Given as `--set options.rank.centre=false`. centre: whether codes are taken about their mean."""

    centre: bool = Field(default=True)


def participation_ratio(codes: NDArray[np.float64], centre: bool) -> float:
    """codes: [n, D]. Returns 1 to D; NaN for a constant code."""
    values = codes - codes.mean(axis=0) if centre else codes
    variances = np.linalg.svd(values, compute_uv=False) ** 2
    return float(variances.sum() ** 2 / (variances**2).sum()) if variances.any() else float("nan")


def run(study: Study, progress: Progress) -> Outcome:
    """Of the codes of `config.pool` frames; summary holds the measures by their keys."""
    options = study.options("rank", RankOptions)
    codes = {"appearance": to_numpy(study.pool.appearance), "pose": to_numpy(study.pool.pose)}
    found = {
        name: participation_ratio(code.reshape(len(code), -1), options.centre) for name, code in codes.items()
    }
    progress(1, 1)
    rows = [[words(name), number(value, 1)] for name, value in found.items()]
    made = table("rank", "Directions that a code uses", ("code", "participation ratio"), rows)
    summary = {f"rank_{name}": value for name, value in found.items()}
    return Outcome(summary, {"rank": made}, {"values": np.array(list(found.values()))})


def draw(networks: Sequence[Shown], images: bool) -> Figure:
    """A bar for each network; there are no frames to leave out."""
    there = [one for one in networks if one.arrays]
    panels = []
    for place, name in enumerate(("appearance", "pose")):
        bars = {one.title: float(one.arrays["values"][place]) for one in there}
        panels.append(Bars(bars, 0, f"directions of the {name} code"))
    return bar_panels(panels, ["#0072b2"] * len(there))


def rank() -> Analysis:
    """What `examples.own_analysis:rank` calls."""
    return Analysis(
        name="rank",
        title="directions of the codes",
        run=run,
        reads=("pool",),
        options=RankOptions,
        measures=(
            Measure("rank_pose", "directions that the pose code uses", digits=1, scale=Scale(1.0)),
            Measure("rank_appearance", "directions that the appearance code uses", digits=1),
        ),
        figures=(
            FigureSpec(
                "rank",
                "How many directions the codes use",
                draw,
                "Participation ratio of the codes' covariance: 1 where one direction holds all the variance.",
                file="rank",
            ),
        ),
    )
