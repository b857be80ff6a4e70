"""Figure 5: which channels of the pose code differ between two people in the same pose, and so hold
appearance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from dpa.engine.analysis.claims import Claim, beyond
from dpa.engine.analysis.codes import crops_of
from dpa.engine.analysis.measures import NSD, Measure, Scale
from dpa.engine.analysis.neighbours import NoOtherClip
from dpa.engine.analysis.pose_pairs import Pairs, equally_distant, most_similar
from dpa.engine.analysis.registry import Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study, stored, to_numpy
from dpa.engine.analysis.values import Table, count, number, table, words
from dpa.engine.drawing.grid import Shown, show
from dpa.engine.drawing.style import MUTED, PALETTE, TEXT, blank_figure, plain
from dpa.engine.intervals import clip_interval, named

Array = NDArray[np.float64]

TOP = (100, 200)
"""How many channels hold the appearance, by the paper's section 4.2."""


@dataclass(frozen=True)
class ChannelResult:
    """Absolute differences of pose codes, [m, P]: `between` two subjects in a similar pose, `within` one
    subject whose poses in two clips are as far apart. between_pairs, within_pairs: who was compared."""

    between: Array
    within: Array
    between_pairs: Pairs
    within_pairs: Pairs

    @property
    def order(self) -> NDArray[np.int64]:
        """Channels [P] from the lowest to the highest mean difference between subjects: the paper takes the
        probability that a channel holds appearance to be proportional to it."""
        return np.argsort(self.between.mean(axis=0), kind="stable")

    @property
    def appearance_share(self) -> float:
        """Share of the squared difference between subjects that the same subject's pairs do not show: 0 for a
        code of the pose alone, 1 for a code of the subject alone. Below 0 by chance."""
        between, within = (float((values**2).mean()) for values in (self.between, self.within))
        return 1 - within / between if between > 0 else float("nan")

    def interval(self) -> tuple[float, float] | None:
        """Of the share; pairs, none of which shares a picture with another, are drawn again."""

        def share(rows: NDArray[np.int64]) -> float:
            return 1 - float((self.within[rows] ** 2).mean()) / float((self.between[rows] ** 2).mean())

        return clip_interval(share, np.arange(len(self.between))) if self.between.any() else None

    def top_share(self, channels: int) -> float:
        """Share of the summed difference that so many highest channels hold; evenly spread, channels / P."""
        mean = np.sort(self.between.mean(axis=0))[::-1]
        return float(mean[:channels].sum() / mean.sum()) if mean.any() else float("nan")

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        return {
            "channels_appearance_share": self.appearance_share,
            **named("channels_appearance_share", self.interval()),
            **{f"channels_top_{top}_share": self.top_share(top) for top in TOP},
            "channels_pair_distance_mm": float(self.between_pairs.distance_mm.mean()),
        }

    def table(self) -> Table:
        """A line for each kind of pair."""
        rows = [
            [
                words(kind),
                count(len(pairs)),
                number(float(pairs.distance_mm.mean()), 1, "mm"),
                number(float(values.mean()), 4),
                number(float(np.sqrt((values**2).mean())), 4),
            ]
            for kind, pairs, values in (
                ("two subjects", self.between_pairs, self.between),
                ("one subject, two clips", self.within_pairs, self.within),
            )
        ]
        shares = ", ".join(f"the top {top} hold {100 * self.top_share(top):.0f} % of it" for top in TOP)
        return table(
            "channels",
            "Pose codes in a similar pose (Fig. 5)",
            ("pairs of", "n", "poses apart (mm)", "|difference|", "root mean square"),
            rows,
            f"{100 * self.appearance_share:.0f} % of the squared difference between subjects is not in the"
            f" pairs of one subject; {shares}. Poses: 17 joints about their centroid, at one size,"
            " not turned.",
        )


def channels(pose_codes: ArrayLike, between: Pairs, within: Pairs) -> ChannelResult:
    """pose_codes: [n, P]; between, within: pairs of different and of the same subjects among the n."""
    codes = np.asarray(pose_codes, dtype=np.float64)

    def difference(pairs: Pairs) -> Array:
        apart: Array = np.abs(codes[pairs.first] - codes[pairs.second])
        return apart

    return ChannelResult(difference(between), difference(within), between, within)


def channels_of(study: Study) -> ChannelResult:
    """Of the most similar poses of two subjects in the pool. Raises NoOtherClip."""
    of_one = study.pairs(same=True)
    if not len(of_one):
        raise NoOtherClip("subject")
    between = most_similar(study.pairs_of_two, min(study.config.pairs, len(of_one)))
    return channels(to_numpy(study.pool.pose), between, equally_distant(of_one, between))


def run(study: Study, progress: Progress) -> Outcome:
    """The most similar poses of two subjects in the pool; the first pair is shown."""
    result = channels_of(study)
    pair = np.array([result.between_pairs.first[0], result.between_pairs.second[0]])
    arrays: dict[str, NDArray[Any]] = {
        "between": result.between.astype(np.float32),
        "within": result.within.astype(np.float32),
        "distance_mm": result.between_pairs.distance_mm,
        "pictures": stored(crops_of(study.network, study.store, study.take(pair)[0])),
        "subjects": np.array(study.titles(pair)),
    }
    return Outcome(result.summary(), {"channels": result.table()}, arrays)


def channels_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Left: two people in a similar pose. Right: sorted absolute difference of their pose codes."""
    there = [one for one in networks if one.arrays]
    figure = blank_figure(9.5 if images else 8, 2.6 * len(there))
    for group, one in zip(figure.subfigures(len(there), 1, squeeze=False)[:, 0], there, strict=True):
        if images:
            left, right = group.subfigures(1, 2, squeeze=False, width_ratios=(1.35, 2.4))[0]
            subjects = one.arrays["subjects"].tolist()
            pictures = zip(left.subplots(1, 2), one.arrays["pictures"], subjects, strict=True)
            for axis, picture, name in pictures:
                show(axis, picture)
                axis.set_title(name, pad=3, **TEXT)
            _differences(right.subplots(), one)
        else:
            _differences(group.subplots(), one)
    return figure


def _differences(axis: Axes, one: Shown) -> None:
    """Every pair thin, their mean bold, the mean of one subject's pairs dashed."""
    between, within = one.arrays["between"], one.arrays["within"]
    for values in between:
        axis.plot(np.sort(values)[::-1], color=MUTED, lw=0.5, alpha=0.35)
    axis.plot(np.sort(between[0])[::-1], color=PALETTE[4], lw=1.6, label="the two people shown")
    kinds = (("two people, mean", between, "-"), ("one person, two clips, mean", within, "--"))
    for colour, (name, values, line) in zip(PALETTE, kinds, strict=False):
        axis.plot(np.sort(values, axis=1)[:, ::-1].mean(axis=0), line, color=colour, lw=2, label=name)
    apart = f"poses {one.arrays['distance_mm'].mean():.0f} mm apart"
    axis.legend(frameon=False, fontsize=8, title=apart, title_fontsize=8)
    axis.set(xlim=(0, between.shape[1] - 1), ylim=(0, None), ylabel="|difference|")
    axis.set_xlabel(f"channels of {one.title}'s pose code, by difference")
    plain(axis)


ANALYSIS = Analysis(
    name="channels",
    title="channels of the pose code",
    run=run,
    reads=("pool", "pairs"),
    compares_people=True,
    measures=(
        Measure(
            "channels_appearance_share", "pose channels that hold appearance", "%", 0, better="lower",
            null="0", scale=Scale(0.1, 0), summary=False,
        ),
    ),
    figures=(
        FigureSpec(
            "fig5",
            "Detecting appearance channels in the pose code",
            channels_figure,
            "Two people in a similar pose, and the sorted absolute difference of their pose codes. Thin: all"
            " pairs found by ground-truth pose. Dashed: one person in two clips, equally far apart in pose.",
            number=5,
            claim=Claim(
                "pose codes of two people in a similar pose differ in channels that hold appearance",
                "a part of the squared difference that one person's pairs do not show, above 0",
                beyond("channels_appearance_share", 0.0, [NSD], unit="%"),
            ),
            frames=True,
            section="codes",
            file="channels",
        ),
    ),
)  # fmt: skip
