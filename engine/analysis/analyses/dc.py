"""DC(A, P) of Table 3: what the two codes share, beside what nothing shared would make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from dpa.engine.analysis.distance_correlation import (
    FEWEST,
    DistanceMoments,
    PermutationNull,
    bias_corrected_correlation,
    distance_correlation,
    distance_moments,
    moments_of,
    pairwise_distances,
    permutation_null,
)
from dpa.engine.analysis.measures import CSSL, CSSL_DA, DRNET, NSD, Measure, Scale
from dpa.engine.analysis.registry import Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study, to_numpy
from dpa.engine.analysis.values import Table, number, table, words
from dpa.engine.drawing.grid import Shown
from dpa.engine.drawing.style import MUTED, PALETTE, blank_figure, plain
from dpa.engine.intervals import jackknife_interval, named


@dataclass(frozen=True)
class Dependence:
    """dc: the paper's. dcor: bias corrected, on the same scale. null: of both under random order."""

    dc: float
    dcor: float
    null: PermutationNull
    samples: int

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        return {
            "dc": self.dc,
            "dcor": self.dcor,
            "dc_null_p95": float(np.percentile(self.null.dc, 95)),
            "dcor_null_p95": float(np.percentile(self.null.dcor, 95)),
            "dc_p_value": self.null.p_value,
        }

    def table(self, summary: Mapping[str, float]) -> Table:
        """A line for each of the two, with the intervals of the summary."""
        figures = (
            ("DC(A, P)", "dc", self.dc, self.null.dc),
            ("dCor(A, P), bias corrected", "dcor", self.dcor, self.null.dcor),
        )
        rows = [
            [
                words(name),
                number(value, 3, interval=(summary[f"{key}_low"], summary[f"{key}_high"])),
                number(float(null.mean()), 3),
                number(float(np.percentile(null, 95)), 3),
                number(float(f"{self.null.p_value:.3g}"), None),
            ]
            for name, key, value, null in figures
        ]
        return table(
            "dc",
            "Distance correlation of the codes (Table 3)",
            ("measure", "value", "in random order", "95th percentile", "p"),
            rows,
            f"{self.samples} pictures; {len(self.null.dc)} random orders of {self.null.samples} of them."
            " p holds frames to be independent, which those of one clip are not.",
        )


def dependence(appearance: ArrayLike, pose: ArrayLike, permutations: int = 200, seed: int = 0) -> Dependence:
    """appearance: [n, A], pose: [n, P], n ≥ 4. Of more than 2,000 samples the null takes so many."""
    moments = distance_moments(appearance, pose)
    return Dependence(
        dc=distance_correlation(moments),
        dcor=bias_corrected_correlation(moments),
        null=permutation_null(appearance, pose, permutations, seed),
        samples=moments.n,
    )


def run(study: Study, progress: Progress) -> Outcome:
    """The paper's 400 pictures."""
    result = dependence(
        to_numpy(study.sample.appearance),
        to_numpy(study.sample.pose),
        study.config.permutations,
        study.config.seed,
    )
    arrays = {"dc": result.null.dc, "dcor": result.null.dcor}
    clips = study.store.sequence[study.sample.rows]
    intervals = dependence_intervals(study.sample.appearance, study.sample.pose, result, clips)
    summary = result.summary() | intervals
    return Outcome(summary, {"dc": result.table(summary)}, arrays)


def dependence_intervals(
    appearance: Tensor, pose: Tensor, found: Dependence, clips: NDArray[np.int64]
) -> dict[str, float]:
    """Of both figures, over clips; by leaving clips out, as two equal frames would have distance 0. One pass
    over the distances serves all groups of clips."""
    a, b = (pairwise_distances(to_numpy(code)) for code in (appearance, pose))

    def figures(rows: NDArray[np.int64]) -> DistanceMoments:
        return moments_of(a[np.ix_(rows, rows)], b[np.ix_(rows, rows)])

    def dc(rows: NDArray[np.int64]) -> float:
        return distance_correlation(figures(rows))

    def dcor(rows: NDArray[np.int64]) -> float:
        return bias_corrected_correlation(figures(rows)) if len(rows) >= FEWEST else float("nan")

    return named("dc", jackknife_interval(dc, found.dc, clips)) | named(
        "dcor", jackknife_interval(dcor, found.dcor, clips)
    )


def null_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """DC and bias-corrected dCor of each network beside what random order makes of them."""
    there = [one for one in networks if one.arrays]
    figure = blank_figure(9.5, 0.9 + 0.5 * len(there) + 0.5 * (len(there) == 1))
    places = np.arange(len(there))[::-1]
    kinds = (("dc", "DC(A, P), as the paper has it"), ("dcor", "dCor(A, P), bias corrected"))
    for axis, (key, label) in zip(figure.subplots(1, 2), kinds, strict=True):
        for place, one in zip(places, there, strict=True):
            null = one.arrays[key]
            named = place == 0
            axis.plot(
                [null.min(), null.max()], [place] * 2, color=MUTED, lw=9, solid_capstyle="butt",
                label=f"random order, {len(null)} times" if named else None,
            )  # fmt: skip
            axis.plot(
                one.summary[key] or 0,
                place,
                "o",
                ms=8,
                color=PALETTE[1],
                label="h_a and h_p" if named else None,
            )
        axis.set(yticks=places, yticklabels=[one.title for one in there], xlabel=label)
        axis.set_ylim(-0.7, len(there) - 0.3)
        axis.set_xlim(min(0.0, *(float(one.arrays[key].min()) for one in there)) - 0.03, 1)
        plain(axis).grid(axis="y", visible=False)
    axis.legend(frameon=False, fontsize=8)
    return figure


ANALYSIS = Analysis(
    name="dc",
    title="distance correlation",
    run=run,
    reads=("samples", "permutations"),
    measures=(
        Measure(
            "dc", "DC(A, P)", digits=2, better="lower", null="its null", scale=Scale(0.05, 3),
            paper={NSD: 0.88, DRNET: 0.59, CSSL: 0.77, CSSL_DA: 0.62}, paper_table=3,
        ),
        Measure("dc_null_p95", "its null, 95th percentile", digits=2, paper_table=3),
        Measure(
            "dcor", "dCor(A, P), bias corrected", digits=2, better="lower", null="0", scale=Scale(0.05, 3),
            paper_table=3,
        ),
    ),
    figures=(
        FigureSpec(
            "nulls",
            "Distance correlation beside its null",
            null_figure,
            "DC is biased upward in high dimensions: bars show what codes in random order reach. Only the"
            " distance from the bar is dependence.",
            file="dc",
        ),
    ),
)  # fmt: skip
