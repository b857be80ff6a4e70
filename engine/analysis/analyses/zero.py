"""Figures 3 and 10: the appearance code set to zero, and to its mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.claims import Claim, beyond, more
from dpa.engine.analysis.codes import Backgrounds, Codes, Network
from dpa.engine.analysis.measures import CSSL, CSSL_DA, Measure, Scale
from dpa.engine.analysis.painting import Painted, before_background, colour_profile, paint
from dpa.engine.analysis.registry import PLAIN, Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study, stored
from dpa.engine.analysis.values import Table, number, table
from dpa.engine.analysis.variance import between_groups
from dpa.engine.drawing.grid import SIDE, Line, Shown, fill_grid, picture_grid
from dpa.engine.drawing.style import PALETTE, TEXT, Bars, bar_panels, blank_figure
from dpa.engine.intervals import clip_interval, named

OWN, ZERO, MEAN = "own code", "zero", "mean code"
KINDS = {"own": OWN, "zero": ZERO, "mean": MEAN}
"""The kinds of code by the names that files have for them."""


@dataclass(frozen=True)
class ZeroResult:
    """pictures: for OWN, ZERO and MEAN, [n, 3, s, s] in [0, 1]. variance: for each, the variance component
    of the colours inside the mask between subjects, in ΔE². samples: how many pictures it was taken over.
    profiles: for each, the colours [samples, 96]."""

    pictures: dict[str, Tensor]
    variance: dict[str, float]
    samples: int
    profiles: dict[str, NDArray[np.float64]]

    def intervals(self, subjects: NDArray[np.str_], clips: NDArray[np.int64]) -> dict[str, float]:
        """Of the shares that are left, over clips. subjects, clips: [n], of all pictures."""

        def left(kind: str, rows: NDArray[np.int64]) -> float:
            if len(np.unique(subjects[rows])) < 2:  # all clips that were drawn are of one person
                return float("nan")
            own, other = (between_groups(self.profiles[one][rows], subjects[rows]) for one in (OWN, kind))
            return max(other, 0.0) / own if own > 0 else float("nan")

        return named("zero_subject_variance_left", clip_interval(partial(left, ZERO), clips)) | named(
            "mean_subject_variance_left", clip_interval(partial(left, MEAN), clips)
        )

    def share_left(self, kind: str) -> float:
        """Variance between subjects that is left of what their own codes make; not below 0. NaN where
        subjects do not differ to begin with."""
        own = self.variance[OWN]
        return max(self.variance[kind], 0.0) / own if own > 0 else float("nan")

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        return {
            "zero_subject_variance_left": self.share_left(ZERO),
            "mean_subject_variance_left": self.share_left(MEAN),
        }

    def table(self, summary: Mapping[str, float]) -> Table:
        """A line for each kind of code, with the intervals of the summary."""
        ends = {
            kind: (summary[f"{name}_low"], summary[f"{name}_high"])
            for kind, name in ((ZERO, "zero_subject_variance_left"), (MEAN, "mean_subject_variance_left"))
        }
        return table(
            "zero",
            "Appearance code replaced (Fig. 3, 10)",
            ("appearance code", "between subjects (ΔE)", "variance left (%)"),
            [
                [
                    kind,
                    number(float(np.sqrt(max(self.variance[kind], 0))), 2, "ΔE"),
                    number(self.share_left(kind), 0, "%", interval=ends.get(kind)),
                ]
                for kind in (OWN, ZERO, MEAN)
            ],
            "Standard deviation of the colours inside the mask between subjects, over"
            f" {self.samples} pictures. Disentangled codes leave 0 %.",
        )


def zero_appearance(
    network: Network, codes: Codes, subjects: NDArray[np.str_], shown: Tensor, behind: Backgrounds
) -> ZeroResult:
    """Decodes every pose code with its own appearance code, with zero, and with the mean of all.

    codes: n frames of at least two subjects. subjects: [n]. shown: int64, which of them the result keeps as
    pictures; behind: the backgrounds of those.
    """
    own = paint(network, codes.appearance, codes.pose)
    replaced = {
        OWN: codes.appearance,
        ZERO: torch.zeros_like(codes.appearance),
        MEAN: codes.appearance.mean(dim=0).expand_as(codes.appearance),
    }
    pictures, variance, profiles = {}, {}, {}
    for kind, appearance in replaced.items():
        painted = Painted(paint(network, appearance, codes.pose).rgb, own.mask)
        profiles[kind] = colour_profile(painted.rgb, painted.mask)
        variance[kind] = between_groups(profiles[kind], subjects)
        pictures[kind] = before_background(painted.take(shown), codes.box[shown], behind).cpu()
    return ZeroResult(pictures, variance, len(codes), profiles)


def run(study: Study, progress: Progress) -> Outcome:
    """All of the pool in numbers, one frame of each subject in pictures."""
    subjects = study.store.subject[study.pool.rows]
    shown = one_of_each(subjects, study.config.seed)
    behind = study.take(shown)[1]
    result = zero_appearance(study.network, study.pool, subjects, torch.from_numpy(shown), behind)
    arrays = {name: stored(result.pictures[kind]) for name, kind in KINDS.items()}
    summary = result.summary() | result.intervals(subjects, study.store.sequence[study.pool.rows])
    arrays["subjects"] = np.array(study.titles(shown))
    return Outcome(summary, {"zero": result.table(summary)}, arrays)


def one_of_each(names: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    """A random number for each distinct name, in the names' order."""
    order = np.random.default_rng(seed).permutation(len(names))
    return order[np.unique(names[order], return_index=True)[1]]


PEOPLE = 3
"""Subjects of each network in Figure 3, as the paper has it."""

ACROSS = 3
"""Networks side by side in Figure 3, as the paper has it; more stand below."""


def zero_groups_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Figure 3: for each network PEOPLE subjects, all of them where it stands alone; rows: own code, zero,
    mean."""
    there = [one for one in networks if one.arrays]
    if not images:
        return _bars(there)
    most = PEOPLE if len(networks) > 1 else max(len(one.arrays["subjects"]) for one in there)
    width = most * SIDE
    across = min(len(there), ACROSS)
    down = -(-len(there) // across)
    figure = blank_figure(0.75 + width * across, (3 * SIDE + 0.75) * down, gap=0.012)
    groups = figure.subfigures(
        down, across, squeeze=False, width_ratios=[width + 0.75, *[width] * (across - 1)]
    )
    for place, network in enumerate(there):
        group, arrays = groups.flat[place], network.arrays
        people = np.unique(np.linspace(0, len(arrays["subjects"]) - 1, most).round().astype(int))
        names = ("original", "zero", "mean code") if place % across == 0 else ("",) * 3
        lines = [Line(name, arrays[kind][people]) for name, kind in zip(names, KINDS, strict=True)]
        fill_grid(group, lines, arrays["subjects"][people].tolist(), len(people))
        group.suptitle(network.title, **TEXT)
    return figure


def zero_rows_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Figure 10: the originals of the first network, then each network's pictures from a zero code."""
    there = [one for one in networks if one.arrays]
    if not images:
        return _bars(there)
    first = there[0].arrays
    rows = [Line(f"{there[0].title},\noriginal", first["own"])]
    rows += [Line(f"{one.title},\nzero", one.arrays.get("zero"), one.missing) for one in networks]
    return picture_grid(rows, first["subjects"].tolist())


def _bars(networks: Sequence[Shown]) -> Figure:
    labels = {"zero": "zero code: variance between people left (%)", "mean": "mean code: the same (%)"}
    panels = []
    for kind, label in labels.items():
        key = f"{kind}_subject_variance_left"
        panels.append(Bars({one.title: 100 * (one.summary[key] or 0) for one in networks}, 0, label))
    return bar_panels(panels, PALETTE)


ANALYSIS = Analysis(
    name="zero",
    title="appearance set to zero",
    run=run,
    reads=("pool",),
    compares_people=True,
    measures=(
        Measure(
            "zero_subject_variance_left", "a zero code leaves of the subjects' variance", "%", 0,
            better="lower", null="0", scale=Scale(0.1, 0), summary=False,
        ),
    ),
    figures=(
        FigureSpec(
            "fig3",
            "Replacing the appearance code with a fixed zero vector",
            zero_groups_figure,
            "Top: synthesised with the own appearance code. Below: with zero, and with the mean of all codes."
            " What still tells the people apart came through the pose code.",
            number=3,
            claim=Claim(
                "with a zero code pictures keep almost all of the people's appearance",
                "more than half of the variance between people is left",
                beyond("zero_subject_variance_left", 0.5, PLAIN, unit="%"),
            ),
            frames=True,
            section="synthesis",
            file="zero",
        ),
        FigureSpec(
            "fig10",
            "Zero appearance vectors with CSSL (DA)",
            zero_rows_figure,
            "Original pictures of CSSL; with a zero appearance code without, and with augmentation.",
            number=10,
            claim=Claim(
                "a zero code leaves people their appearance without augmentation and not with it",
                "more of the variance between people is left without augmentation; intervals do not touch",
                more("zero_subject_variance_left", CSSL, [CSSL_DA], "%"),
            ),
            titles=(CSSL, CSSL_DA),
            frames=True,
            section="augmentation",
        ),
    ),
)  # fmt: skip
