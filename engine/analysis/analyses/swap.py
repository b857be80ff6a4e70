"""Figures 2 and 8: one person's pose code decoded with another's appearance code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.claims import Claim, beyond, more
from dpa.engine.analysis.codes import Backgrounds, Codes, Network
from dpa.engine.analysis.measures import CSSL, CSSL_DA, Measure, Scale
from dpa.engine.analysis.painting import (
    Painted,
    before_background,
    colour_profile,
    paint,
    reread_pose,
    share_moved,
)
from dpa.engine.analysis.pose_pairs import Pairs, spread
from dpa.engine.analysis.registry import PLAIN, Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study, stored
from dpa.engine.analysis.values import Table, count, number, table
from dpa.engine.attack.objective import mpjpe
from dpa.engine.drawing.grid import Line, Shown, picture_grid
from dpa.engine.drawing.style import PALETTE, Bars, bar_panels
from dpa.engine.intervals import clip_interval, mean_interval, named


@dataclass(frozen=True)
class SwapResult:
    """For n pairs of a pose source and an appearance donor.

    source, donor, swapped: [n, 3, s, s] in [0, 1], the two reconstructions and the picture with the source's
    pose code and the donor's appearance code. colours_moved: how far the colours inside the source's mask
    went to the donor's, 0 to 1. shift_mm: [n], MPJPE of φ on the swapped picture against φ on the source's
    reconstruction: 17 joints, root-relative, no alignment. profiles: [n, 96] each, the colours of source,
    donor and swapped picture.
    """

    source: Tensor
    donor: Tensor
    swapped: Tensor
    colours_moved: float
    shift_mm: NDArray[np.float64]
    profiles: tuple[NDArray[np.float64], ...]

    def intervals(self, clips: NDArray[np.int64]) -> dict[str, float]:
        """Of the two means, over the clips [n] of the pose sources."""

        def moved(rows: NDArray[np.int64]) -> float:
            return share_moved(*(one[rows] for one in self.profiles))

        return named("swap_pose_shift_mm", mean_interval(self.shift_mm, clips)) | named(
            "swap_colours_moved", clip_interval(moved, clips)
        )

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        return {
            "swap_colours_moved": self.colours_moved,
            "swap_pose_shift_mm": float(self.shift_mm.mean()),
            "swap_pose_shift_median_mm": float(np.median(self.shift_mm)),
            "swap_pose_shift_p90_mm": float(np.percentile(self.shift_mm, 90)),
        }

    def table(self, summary: Mapping[str, float]) -> Table:
        """One line of figures, with the intervals of the summary."""
        moved, colours = (measure.cell(summary) for measure in MEASURES)
        return table(
            "swap",
            "Swapped appearance (Fig. 2, 8)",
            (
                "pairs",
                "colours moved to the donor's (%)",
                "pose moved (mm)",
                "median (mm)",
                "90th percentile (mm)",
            ),
            [
                [
                    count(len(self.shift_mm)),
                    colours,
                    moved,
                    number(float(np.median(self.shift_mm)), 1, "mm"),
                    number(float(np.percentile(self.shift_mm, 90)), 1, "mm"),
                ]
            ],
            "Disentangled codes: 100 % and 0 mm. MPJPE over 17 joints, root-relative, no alignment, between φ"
            " on the swapped picture and φ on the reconstruction.",
        )


def swap(
    network: Network, sources: Codes, donors: Codes, source_behind: Backgrounds, donor_behind: Backgrounds
) -> SwapResult:
    """Decodes G_d(h_a of the donor, h_p of the source). sources, donors: n ≥ 1 codes each, pair by pair.

    The mask is the source's own, as in the attack, so that only colours can move.
    """
    own = paint(network, sources.appearance, sources.pose)
    theirs = paint(network, donors.appearance, donors.pose)
    swapped = Painted(paint(network, donors.appearance, sources.pose).rgb, own.mask)
    profiles = tuple(colour_profile(one.rgb, one.mask) for one in (own, theirs, swapped))
    before, after = (reread_pose(network, one, sources.box, source_behind) for one in (own, swapped))
    return SwapResult(
        source=before_background(own, sources.box, source_behind).cpu(),
        donor=before_background(theirs, donors.box, donor_behind).cpu(),
        swapped=before_background(swapped, sources.box, source_behind).cpu(),
        colours_moved=share_moved(*profiles),
        shift_mm=mpjpe(after, before).double().cpu().numpy(),
        profiles=profiles,
    )


PAPERS_PAIR = ("S7", "S8")
"""Whose pose, and whose appearance, the paper shows in Figures 2 and 8."""

SHOWN_PAIRS = 8


def run(study: Study, progress: Progress) -> Outcome:
    """In numbers random pairs of two subjects, seen by any camera; in pictures the paper's two, if there."""
    seed = study.config.seed
    pairs = spread(study.pairs_of_two, study.config.pairs, 0, 1, seed)
    result = _swapped(study, pairs)
    summary = result.summary() | result.intervals(study.store.sequence[study.pool.rows[pairs.first]])
    shown = spread(_of_the_papers_pair(study), SHOWN_PAIRS, 0, 1, seed)
    pictures = _swapped(study, shown)
    arrays = {name: stored(getattr(pictures, name)) for name in ("source", "donor", "swapped")}
    arrays |= {"sources": np.array(study.titles(shown.first)), "donors": np.array(study.titles(shown.second))}
    return Outcome(summary, {"swap": result.table(summary)}, arrays)


def _swapped(study: Study, pairs: Pairs) -> SwapResult:
    (sources, behind_sources), (donors, behind_donors) = study.take(pairs.first), study.take(pairs.second)
    return swap(study.network, sources, donors, behind_sources, behind_donors)


def _of_the_papers_pair(study: Study) -> Pairs:
    """Pairs with the pose of S7 and the appearance of S8; all pairs where either is not in the pool."""
    pairs, subjects = study.pairs_of_two, study.store.subject[study.pool.rows]
    pose, appearance = (subjects == name for name in PAPERS_PAIR)
    forth = pose[pairs.first] & appearance[pairs.second]
    back = pose[pairs.second] & appearance[pairs.first]
    if not (forth | back).any():
        return pairs
    turned = Pairs(
        np.where(back, pairs.second, pairs.first),
        np.where(back, pairs.first, pairs.second),
        pairs.distance_mm,
    )
    return turned.take(np.flatnonzero(forth | back))


def swap_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Pose source, appearance donor, and the picture made of both by each network; the first two rows are
    the first network's reconstructions. Without images bars of the two measures."""
    there = [one for one in networks if one.arrays]
    if not images:
        colours = {one.title: 100 * (one.summary["swap_colours_moved"] or 0) for one in there}
        shifts = {one.title: one.summary["swap_pose_shift_mm"] or 0 for one in there}
        panels = [
            Bars(colours, 100, "colours moved to the donor's (%)"),
            Bars(shifts, 0, "pose moved (mm)"),
        ]
        return bar_panels(panels, PALETTE)
    arrays = there[0].arrays
    source, donor = (_one(arrays[name].tolist()) for name in ("sources", "donors"))
    rows = [
        Line(f"pose from\n{source}", arrays["source"]),
        Line(f"appearance\nfrom {donor}", arrays["donor"]),
    ]
    rows += [Line(one.title, one.arrays.get("swapped"), one.missing) for one in networks]
    return picture_grid(rows, ())


def _one(names: list[str]) -> str:
    """The name where it is the same for all; otherwise a word."""
    return names[0] if len(set(names)) == 1 else "one"


SHIFT = Measure(
    "swap_pose_shift_mm",
    "swapped appearance moves the pose",
    "mm",
    better="lower",
    null="0",
    scale=Scale(10.0),
)

MEASURES = (
    Measure(
        "swap_pose_shift_mm",
        "swapped appearance moves the pose",
        "mm",
        better="lower",
        null="0",
        scale=Scale(10.0),
    ),
    Measure(
        "swap_colours_moved",
        "swapped appearance moves the colours",
        "%",
        0,
        null="100",
        scale=Scale(0.1, 0, rises=False),
        summary=False,
    ),
)

ANALYSIS = Analysis(
    name="swap",
    title="swapped appearance",
    run=run,
    reads=("pool", "pairs"),
    compares_people=True,
    measures=MEASURES,
    figures=(
        FigureSpec(
            "fig2",
            "Synthesising novel images",
            swap_figure,
            "Pose code of the first row's frame, appearance code of the second row's, decoded by each"
            " network. Were the codes disentangled, every lower row would wear the second row's clothes.",
            number=2,
            claim=Claim(
                "pictures with another's appearance code keep appearance of whoever lent the pose",
                "less than half of the colours move to the donor's",
                beyond("swap_colours_moved", 0.5, PLAIN, above=False, unit="%"),
            ),
            frames=True,
            section="synthesis",
            file="swap",
        ),
        FigureSpec(
            "fig8",
            "Synthesising novel images with CSSL (DA)",
            swap_figure,
            "As Figure 2, CSSL trained without and with colour augmentation.",
            number=8,
            claim=Claim(
                "with augmentation pictures take on more of the appearance that they are given",
                "more of the colours move with augmentation than without; intervals do not touch",
                more("swap_colours_moved", CSSL_DA, [CSSL], "%"),
            ),
            titles=(CSSL, CSSL_DA),
            frames=True,
            section="augmentation",
        ),
    ),
)  # fmt: skip
