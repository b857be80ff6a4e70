"""Which networks really differ under attack: where two saw the same frames, frame by frame (paired)."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dpa.engine.analysis.values import NOTHING, Cell, Table, number, table, words
from dpa.engine.intervals import mean_interval
from dpa.engine.report.attack_runs import AttackRun

FIGURES = {
    "success": ("success (points)", 1, "%"),
    "initial_error_mm": ("initial (mm)", 1, "mm"),
    "final_error_mm": ("final (mm)", 1, "mm"),
    "psnr_db": ("PSNR of the frame (dB)", 2, "dB"),
    "box_psnr_db": ("PSNR of the box (dB)", 2, "dB"),
}
"""Columns of samples, and how their differences are printed."""

NONE = "no difference"


def differences(runs: Sequence[AttackRun]) -> Table | None:
    """The first network less the second, for every two networks' own attacks on the same frames; where the
    interval holds 0 there is none. None where no two saw the same frames."""
    own = [run for run in runs if run.own and {"index", "sequence"} <= run.samples.keys()]
    rows = [
        [words(f"{one.target.name} − {other.target.name}"), *(_cell(one, other, name) for name in FIGURES)]
        for one, other in combinations(own, 2)
        if np.array_equal(one.samples["index"], other.samples["index"])
    ]
    if not rows:
        return None
    note = (
        "Means of the differences frame by frame, of frames that both saw, with 95 % intervals by resampling"
        f" whole clips. Where the interval holds 0 there is {NONE}, whatever the sign."
    )
    heads = ["networks", *(heading for heading, _, _ in FIGURES.values())]
    return table("differences", "Differences between networks under attack", heads, rows, note)


def _cell(one: AttackRun, other: AttackRun, name: str) -> Cell:
    if name not in one.samples or name not in other.samples:
        return NOTHING
    apart: NDArray[np.float64] = one.samples[name].astype(float) - other.samples[name].astype(float)
    finite = np.isfinite(apart)
    ends = mean_interval(apart, one.samples["sequence"])
    if not finite.any() or ends is None:
        return NOTHING
    _, digits, unit = FIGURES[name]
    told = words(NONE) if ends[0] <= 0 <= ends[1] else None
    return number(float(apart[finite].mean()), digits, unit, interval=ends, aside=told)
