"""Figure 6: the K channels of A's pose code with the lowest, or the highest, appearance probability replaced
by B's, from K = 0 to all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.analyses.channels import channels_of
from dpa.engine.analysis.claims import Answer, Claim, Figures, Verdict
from dpa.engine.analysis.codes import Backgrounds, Codes, Network
from dpa.engine.analysis.measures import NSD
from dpa.engine.analysis.painting import (
    Painted,
    before_background,
    colour_distance,
    colour_profile,
    paint,
    reread_pose,
)
from dpa.engine.analysis.pose_pairs import spread
from dpa.engine.analysis.registry import Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study, stored
from dpa.engine.analysis.values import Table, count, number, table
from dpa.engine.attack.objective import mpjpe
from dpa.engine.drawing.grid import Line, Shown, fill_grid, show
from dpa.engine.drawing.style import PALETTE, TEXT, blank_figure, plain

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SweepCurves:
    """How far the pictures are from A and B, for every K and pair: [len(ks), m]. Poses: MPJPE in mm of φ on
    the picture against φ on the reconstructions of A and B. Colours: ΔE inside the masks, likewise."""

    pose_to_a: Array
    pose_to_b: Array
    colour_to_a: Array
    colour_to_b: Array

    def crossing(self, ks: Sequence[int], what: str) -> float:
        """The K where the mean picture is as near to B as to A in "pose" or "colour", between two values of K
        on the straight line; NaN where it never comes nearer to B."""
        lead = (getattr(self, f"{what}_to_b") - getattr(self, f"{what}_to_a")).mean(axis=1)
        ahead = np.flatnonzero(lead <= 0)
        if not len(ahead):
            return float("nan")
        after = int(ahead[0])
        if after == 0:
            return float(ks[0])
        part = lead[after - 1] / (lead[after - 1] - lead[after])
        return float(ks[after - 1] + part * (ks[after] - ks[after - 1]))


@dataclass(frozen=True)
class SweepResult:
    """ks: ascending numbers of replaced channels. lowest, highest: the curves where those with the lowest or
    the highest appearance probability are replaced. strips: for "lowest" and "highest", [len(ks), 3, s, s] in
    [0, 1], the pictures of the pair whose colours differ most; ends: [2, 3, s, s], its A and B."""

    ks: tuple[int, ...]
    lowest: SweepCurves
    highest: SweepCurves
    strips: dict[str, Tensor]
    ends: Tensor

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        return {
            f"sweep_{order}_{what}_crossing": getattr(self, order).crossing(self.ks, what)
            for order in ("lowest", "highest")
            for what in ("pose", "colour")
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the figure shows: ks, ends, and for both orders the strip and each curve's mean [len(ks)]."""
        found: dict[str, NDArray[Any]] = {"ks": np.array(self.ks), "ends": stored(self.ends)}
        for order in ("lowest", "highest"):
            found[f"{order}_strip"] = stored(self.strips[order])
            for name, values in vars(getattr(self, order)).items():
                found[f"{order}_{name}"] = values.mean(axis=1)
        return found

    def table(self, order: str) -> Table:
        """A line for each K. order: "lowest" or "highest"."""
        curves: SweepCurves = getattr(self, order)
        means = [values.mean(axis=1) for values in vars(curves).values()]
        units = ("mm", "mm", "ΔE", "ΔE")
        return table(
            f"sweep_{order}",
            f"K channels of A's pose code replaced by B's, {order} appearance probability first (Fig. 6)",
            ("K", "pose to A (mm)", "pose to B (mm)", "colours to A (ΔE)", "colours to B (ΔE)"),
            [
                [
                    count(k),
                    *(number(float(mean[at]), 1, unit) for mean, unit in zip(means, units, strict=True)),
                ]
                for at, k in enumerate(self.ks)
            ],
            f"Means over {curves.pose_to_a.shape[1]} pairs; A's appearance code throughout.",
        )


def replaced(pose_a: Tensor, pose_b: Tensor, channels: Tensor) -> Tensor:
    """A's pose codes with some channels from B's. [m, P] twice, [K] int64 → [m, P]."""
    mixed = pose_a.clone()
    mixed[:, channels] = pose_b[:, channels]
    return mixed


def channel_sweep(
    network: Network,
    a: Codes,
    b: Codes,
    behind_a: Backgrounds,
    behind_b: Backgrounds,
    order: NDArray[np.int64],
    ks: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> SweepResult:
    """a, b: codes of m ≥ 1 pairs of frames that show different people in different poses. order: [P] channels
    from the lowest to the highest appearance probability. ks: ascending, each within 0…P.

    Every picture has A's appearance code, box and plate, and the mask that its own codes make.
    progress: called with (pictures done for, in all), counted in values of K.
    """
    one, other = paint(network, a.appearance, a.pose), paint(network, b.appearance, b.pose)
    pose_a, pose_b = (
        reread_pose(network, one, a.box, behind_a),
        reread_pose(network, other, b.box, behind_b),
    )
    colour_a, colour_b = (colour_profile(side.rgb, side.mask) for side in (one, other))

    def measure(painted: Painted) -> tuple[Array, ...]:
        pose, colour = (
            reread_pose(network, painted, a.box, behind_a),
            colour_profile(painted.rgb, painted.mask),
        )
        poses = (mpjpe(pose, end).double().cpu().numpy() for end in (pose_a, pose_b))
        return (*poses, *(colour_distance(colour, end) for end in (colour_a, colour_b)))

    clearest = int(colour_distance(colour_a, colour_b).argmax())
    first = torch.tensor([clearest], device=a.box.device)
    curves, strips, done = {}, {}, 0
    for name, channels in (("lowest", order), ("highest", order[::-1])):
        measured, strip = [], []
        for k in ks:
            chosen = torch.from_numpy(channels[:k].copy()).to(a.pose.device)
            painted = paint(network, a.appearance, replaced(a.pose, b.pose, chosen))
            measured.append(measure(painted))
            strip.append(before_background(painted.take(first), a.box[first], behind_a.take(first)))
            done += 1
            if progress is not None:
                progress(done, 2 * len(ks))
        curves[name] = SweepCurves(*(np.stack(values) for values in zip(*measured, strict=True)))
        strips[name] = torch.cat(strip).cpu()
    ends = (
        before_background(one.take(first), a.box[first], behind_a.take(first)),
        before_background(other.take(first), b.box[first], behind_b.take(first)),
    )
    return SweepResult(tuple(ks), curves["lowest"], curves["highest"], strips, torch.cat(ends).cpu())


def run(study: Study, progress: Progress) -> Outcome:
    """Pairs of two subjects whose poses are further apart than most."""
    pairs = spread(study.pairs_of_two, study.config.sweep_pairs, 0.5, 0.95, study.config.seed)
    (a, behind_a), (b, behind_b) = study.take(pairs.first), study.take(pairs.second)
    width = study.pool.pose.shape[1]
    ks = sorted({*range(0, width, study.config.sweep_step), width})
    order = channels_of(study).order
    result = channel_sweep(study.network, a, b, behind_a, behind_b, order, ks, progress)
    tables = {f"sweep_{first}": result.table(first) for first in MARKED}
    return Outcome(result.summary(), tables, result.arrays())


RED = "#d22d2d"
MARKED = {"lowest": 500, "highest": 200}
"""The K that the paper puts a red box around, by the order of replacement."""

STRIP = 7
"""Pictures of a strip in Figure 6."""


def sweep_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """A, the pictures in between, B; red boxes where the paper has them. Without images the curves."""
    if not images:
        return sweep_curves_figure(networks, images)
    there = [one for one in networks if one.arrays]
    figure = blank_figure(11.5, 2.75 * len(there), gap=0.015)
    for group, one in zip(figure.subfigures(len(there), 1, squeeze=False)[:, 0], there, strict=True):
        group.suptitle(one.title, x=0.012, ha="left", weight="bold", **TEXT)
        _strips(group, one)
    return figure


def _strips(group: SubFigure, one: Shown) -> None:
    ks = one.arrays["ks"]
    shown = np.unique(np.linspace(0, len(ks) - 1, STRIP).round().astype(int))
    left, middle, right = group.subfigures(1, 3, squeeze=False, width_ratios=(1.25, STRIP + 1.2, 1.25))[0]
    for part, picture, name in zip((left, right), one.arrays["ends"], ("A", "B"), strict=True):
        axis = part.subplots()
        show(axis, picture)
        axis.set_title(name, **TEXT)
    lines = [Line(f"K {order}", one.arrays[f"{order}_strip"][shown]) for order in MARKED]
    axes = fill_grid(middle, lines, [f"K = {ks[place]}" for place in shown], len(shown))
    for row, wanted in zip(axes, MARKED.values(), strict=True):
        axis = row[int(np.abs(ks[shown] - wanted).argmin())]
        box = Rectangle((0, 0), 1, 1, transform=axis.transAxes, fill=False, ec=RED, lw=3, clip_on=False)
        axis.add_patch(box)


def sweep_curves_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Mean distances to A and to B against K: poses left, colours right, a row for each network."""
    there = [one for one in networks if one.arrays]
    figure = blank_figure(9, 2.5 * len(there))
    kinds = (("pose", "pose distance (mm)"), ("colour", "colour distance (ΔE)"))
    for row, one in zip(figure.subplots(len(there), 2, squeeze=False), there, strict=True):
        for axis, (what, unit) in zip(row, kinds, strict=True):
            for order, style in (("lowest", "-"), ("highest", "--")):
                for end, colour in zip("ab", PALETTE, strict=False):
                    label = f"{order} first, to {end.upper()}"
                    values = one.arrays[f"{order}_{what}_to_{end}"]
                    axis.plot(one.arrays["ks"], values, style, color=colour, lw=1.8, label=label)
            axis.set(ylabel=unit, ylim=(0, None), xlim=(0, one.arrays["ks"][-1]))
            axis.set_xlabel(f"K channels of {one.title} replaced by B's")
            plain(axis)
        row[0].legend(frameon=False, fontsize=7)
    return figure


def ask_the_crossings(networks: Mapping[str, Figures]) -> list[Answer]:
    """Of NSD, as the paper: where the mean picture comes nearer to B than to A; no figure: it never does."""
    figures = networks.get(NSD)
    if figures is None or "sweep_lowest_pose_crossing" not in figures:
        return []
    at = {
        (order, what): figures.get(f"sweep_{order}_{what}_crossing")
        for order in MARKED
        for what in ("pose", "colour")
    }

    def by(order: str, what: str) -> bool:
        crossing = at[order, what]
        return crossing is not None and crossing <= MARKED[order]

    holds = by("lowest", "pose") and not by("lowest", "colour")
    holds = holds and by("highest", "colour") and not by("highest", "pose")
    told = ", ".join(
        f"{what} {order} first " + ("never" if k is None else f"at K = {k:.0f}")
        for (order, what), k in at.items()
    )
    return [Answer(f"{NSD} {told}", Verdict.AGREES if holds else Verdict.CONTRADICTS)]


ANALYSIS = Analysis(
    name="sweep",
    title="sweep over K channels",
    run=run,
    reads=("pool", "pairs", "sweep_pairs", "sweep_step"),
    compares_people=True,
    figures=(
        FigureSpec(
            "fig6",
            "Influence of the pose code's channels",
            sweep_figure,
            "A's appearance code throughout; the K channels of A's pose code with the lowest (upper strip) or"
            " highest (lower strip) appearance probability are replaced by B's. Red: the K that the paper"
            " points at.",
            number=6,
            claim=Claim(
                "500 channels of low appearance probability bring B's pose and keep A's appearance, and 200"
                " of high probability bring B's appearance and keep A's pose",
                "lowest first, the pose is nearer to B's by K = 500 and the colours are not; highest first,"
                " the colours are by K = 200 and the pose is not",
                ask_the_crossings,
            ),
            frames=True,
            section="codes",
            file="sweep",
        ),
        FigureSpec(
            "sweepcurves",
            "Figure 6 in numbers",
            sweep_curves_figure,
            "Distance of pose and colours to A and to B against the number of replaced channels, mean over"
            " pairs.",
            file="sweep_curves",
        ),
    ),
)
