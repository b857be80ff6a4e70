"""The same body, motion and camera in another outfit: how far the pose really moves under a true change of
clothes. Beyond the paper; possible because the data are generated."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.codes import Codes, Network, encode_rows, predict_rows
from dpa.engine.analysis.measures import Measure, Scale
from dpa.engine.analysis.registry import Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Study, stored
from dpa.engine.analysis.values import Table, count, number, table, words
from dpa.engine.analysis.variance import VarianceShares, variance_shares
from dpa.engine.drawing.grid import Shown, show
from dpa.engine.drawing.style import INK, MUTED, PALETTE, TEXT, blank_figure, plain
from dpa.engine.evaluation_set import SUBJECTS, cached_set
from dpa.engine.intervals import mean_interval, named
from dpa.kernels import crop
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.errors import InputError
from dpa.models.training.validation import mpjpe

Array = NDArray[np.float64]


class DifferentMoments(InputError):
    """Data sets that should differ in the outfit alone do not show the same moments."""

    def __init__(self, column: str) -> None:
        super().__init__(
            found=f"data sets that differ in {column}",
            expected="the same bodies, motions and cameras in every outfit",
            remedy="generate them with one seed, one set of subjects and actions, and --outfit alone changed",
        )


@dataclass(frozen=True)
class CounterfactualResult:
    """m moments in O outfits. predicted: [O, m, J, 3] mm, φ on each picture; truth: [m, J, 3], the same pose
    in all outfits; own: [m], the number of the outfit that is the body's own. pose_shares, appearance_shares:
    what makes the codes vary. pictures: [O, 3, h, w] in [0, 1], one moment. motions: [m], the clip
    of each."""

    outfits: tuple[str, ...]
    subjects: NDArray[np.str_]
    predicted: Array
    truth: Array
    own: NDArray[np.int64]
    pose_shares: VarianceShares
    appearance_shares: VarianceShares
    pictures: Tensor
    motions: NDArray[np.int64]

    def shifts(self) -> Array:
        """[O, m] mm: MPJPE of φ in each outfit against φ in the body's own, where it is NaN. 17 joints,
        root-relative, no alignment."""
        moments = np.arange(len(self.own))
        apart = np.stack([mpjpe(one, self.predicted[self.own, moments]) for one in self.predicted])
        apart[self.own, moments] = np.nan
        return apart

    def interval(self) -> tuple[float, float] | None:
        """Of the mean shift: moments of one motion, seen by several cameras in several outfits, are one."""
        shifts = self.shifts()
        return mean_interval(shifts.ravel(), np.tile(self.motions, len(shifts)))

    def errors(self) -> Array:
        """[O, m] mm: MPJPE of φ against the true pose."""
        return np.stack([mpjpe(one, self.truth) for one in self.predicted])

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        shifts, errors = self.shifts(), self.errors()
        others = np.isfinite(shifts)
        return {
            "counterfactual_pose_shift_mm": float(shifts[others].mean()),
            **named("counterfactual_pose_shift_mm", self.interval()),
            "counterfactual_pose_shift_median_mm": float(np.median(shifts[others])),
            "counterfactual_pose_shift_p90_mm": float(np.percentile(shifts[others], 90)),
            "counterfactual_error_own_mm": float(errors[self.own, np.arange(len(self.own))].mean()),
            "counterfactual_error_other_mm": float(errors[others].mean()),
            **self.pose_shares.summary("pose_code"),
            **self.appearance_shares.summary("appearance_code"),
        }

    def table(self) -> Table:
        """A line for each outfit, worn by those whose own it is not."""
        shifts, errors = self.shifts(), self.errors()
        rows = []
        for outfit, moved, wrong in zip(
            (*self.outfits, "all"), [*shifts, shifts], [*errors, errors], strict=True
        ):
            others = np.isfinite(moved)
            figures = (moved[others].mean(), np.percentile(moved[others], 90), wrong[others].mean())
            told = [number(float(figure), 1, "mm") for figure in figures]
            rows.append([words(outfit), *told, count(int(others.sum()))])
        return table(
            "counterfactual",
            "The same body, motion and camera in another outfit",
            ("outfit", "pose moved (mm)", "90th percentile (mm)", "error against truth (mm)", "n"),
            rows,
            "MPJPE over 17 joints, root-relative, no alignment; moved against φ on the picture in the body's"
            f" own outfit, where the error is {self.summary()['counterfactual_error_own_mm']:.1f} mm.",
        )

    def shares_table(self) -> Table:
        """What makes each code vary."""
        named = {"pose code": self.pose_shares, "appearance code": self.appearance_shares}
        return table(
            "variance",
            "What makes the codes vary (share of the sum of squares, %)",
            ("code", "pose", "body", "outfit", "outfit × moment"),
            [
                [
                    words(name),
                    *(
                        number(value, 1, "%")
                        for value in (shares.pose, shares.body, shares.outfit, shares.outfit_and_moment)
                    ),
                ]
                for name, shares in named.items()
            ],
            "pose: moments of one body (action, motion, camera). Exact: each moment is seen in each outfit.",
        )


def counterfactual(
    network: Network, stores: dict[str, PackedStore], device: torch.device, shown: int = 0
) -> CounterfactualResult:
    """stores: by the name of the outfit that everybody wears, at least two; the same moments in each, in the
    same order; a body is named as its own outfit is. shown: the moment that the result keeps as pictures.
    Raises DifferentMoments, ValueError for a body whose own outfit is not among them."""
    outfits = tuple(stores)
    first = stores[outfits[0]]
    for store in stores.values():
        require_same_moments(first, store)
    rows = np.arange(len(first))
    codes = [encode_rows(network, store, rows, device) for store in stores.values()]
    return CounterfactualResult(
        outfits=outfits,
        subjects=first.subject,
        predicted=np.stack([predict_rows(network, store, rows, device) for store in stores.values()]),
        truth=first.poses.astype(np.float64),
        own=np.array([outfits.index(name) for name in first.subject.tolist()]),
        pose_shares=variance_shares(_stack(codes, "pose"), first.subject),
        appearance_shares=variance_shares(_stack(codes, "appearance"), first.subject),
        pictures=torch.cat([person(store, shown) for store in stores.values()]),
        motions=first.sequence.astype(np.int64),
    )


def person(store: PackedStore, number: int, side: int = 128) -> Tensor:
    """One frame around the true box, with a margin. [1, 3, side, side] in [0, 1]."""
    box = torch.from_numpy(store.box[[number]]) * torch.tensor([1.15, 1.15, 1, 1])
    return crop(store.frames_at([number]), box, side)


def require_same_moments(one: PackedStore, other: PackedStore) -> None:
    """Raises DifferentMoments unless both show the same bodies in the same poses to the same cameras."""
    for column in ("subject", "action", "sequence", "camera", "frame"):
        if not np.array_equal(getattr(one, column), getattr(other, column)):
            raise DifferentMoments(column)
    if not np.allclose(one.poses, other.poses, atol=0.01):
        raise DifferentMoments("pose")


def _stack(codes: list[Codes], name: str) -> Array:
    return np.stack([getattr(one, name).double().cpu().numpy() for one in codes])


SEED = 20_231_123
"""Seed of its motions, kept for it: neither a recipe of this project nor the evaluation set has it."""

Progress = Callable[[int, int], None]


def counterfactual_config(outfit: str) -> SynthConfig:
    """One frame of one clip for each subject and action, seen by all cameras, everybody in one outfit."""
    return SynthConfig(
        subjects=SUBJECTS,
        clips=1,
        frames=1,
        fps=1,
        seed=SEED,
        workers=min(os.cpu_count() or 1, 8),
        outfit=outfit,
    )


def counterfactual_stores(
    outfits: Sequence[str] = SUBJECTS, progress: Progress | None = None
) -> dict[str, PackedStore]:
    """A data set for each outfit, made first where the cache has it not (seconds each).

    progress: called with (images done, images in all) of the set that is being made.
    """
    return {
        outfit: cached_set(f"counterfactual-{outfit}", counterfactual_config(outfit), progress)
        for outfit in outfits
    }


def run(study: Study, progress: Progress) -> Outcome:
    """Data of its own, whatever the others take: see `counterfactual_stores`."""
    result = counterfactual(study.network, counterfactual_stores(progress=progress), study.device)
    tables = {"counterfactual": result.table(), "variance": result.shares_table()}
    arrays: dict[str, NDArray[Any]] = {
        "pictures": stored(result.pictures),
        "shifts": result.shifts(),
        "outfits": np.array(result.outfits),
    }
    return Outcome(result.summary(), tables, arrays)


def outfits_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Above: one moment in every outfit. Below, for each network: the pose's shift by outfit, and what makes
    the codes vary."""
    there = [one for one in networks if one.arrays]
    figure = blank_figure(9, 1.9 * images + 2.7 * len(there))
    if images:
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.9, 2.7 * len(there)))[:, 0]
        first = there[0].arrays
        pictures = zip(
            top.subplots(1, len(first["outfits"])), first["pictures"], first["outfits"], strict=True
        )
        for axis, picture, outfit in pictures:
            show(axis, picture)
            axis.set_title(f"in {outfit}'s clothes", pad=3, **TEXT)
    else:
        bottom = figure.subfigures(1, 1)
    for (left, right), one in zip(bottom.subplots(len(there), 2, squeeze=False), there, strict=True):
        _shifts(left, one)
        _shares(right, one)
    return figure


def _shifts(axis: Axes, one: Shown) -> None:
    axis.boxplot(
        [moved[np.isfinite(moved)] for moved in one.arrays["shifts"]],
        tick_labels=one.arrays["outfits"].tolist(),
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "#dbe7f3", "edgecolor": PALETTE[0]},
        medianprops={"color": PALETTE[1], "lw": 2},
        whiskerprops={"color": MUTED},
        capprops={"color": MUTED},
    )
    axis.set(xlabel=f"{one.title}: in the clothes of", ylabel="pose moved (mm)", ylim=(0, None))
    plain(axis).grid(axis="x", visible=False)


def _shares(axis: Axes, one: Shown) -> None:
    codes = {"h_a": "appearance_code", "h_p": "pose_code"}
    left = np.zeros(len(codes))
    for colour, name in zip(PALETTE, ("pose", "body", "outfit", "outfit_and_moment"), strict=False):
        width = np.array([100 * (one.summary.get(f"{code}_variance_{name}") or 0) for code in codes.values()])
        axis.barh(
            range(len(codes)), width, left=left, color=colour, label=name.replace("_and_", " × "), height=0.55
        )
        for place, (start, share) in enumerate(zip(left, width, strict=True)):
            if share > 6:
                centre = (start + share / 2, place)
                axis.text(*centre, f"{share:.0f}", color="white", ha="center", va="center", fontsize=8)
        left += width
    axis.set(yticks=range(len(codes)), yticklabels=list(codes), xlim=(0, 100), ylim=(-0.6, 1.9))
    axis.set_xlabel(f"share of the variance of {one.title}'s codes (%)")
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


ANALYSIS = Analysis(
    name="counterfactual",
    title="true changes of clothes",
    run=run,
    measures=(
        Measure(
            "counterfactual_pose_shift_mm", "other clothes move the pose", "mm", better="lower", null="0",
            scale=Scale(10.0),
        ),
        Measure(
            "pose_code_variance_outfit", "other clothes make the pose code's variance", "%", 0,
            better="lower", null="0", scale=Scale(0.1, 0), summary=False,
        ),
    ),
    figures=(
        FigureSpec(
            "outfits",
            "One moment in other clothes",
            outfits_figure,
            "The same body, motion and camera in every outfit. Left: how far the pose moves against φ in the"
            " body's own outfit; boxes hold the middle half, whiskers 90 %. Right: what makes codes vary.",
            frames=True,
            file="counterfactual",
        ),
    ),
)  # fmt: skip
