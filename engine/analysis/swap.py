"""Figures 2 and 8: one person's pose code decoded with another's appearance code."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.codes import Backgrounds, Codes, Network
from dpa.engine.analysis.painting import (
    Painted,
    before_background,
    colour_profile,
    paint,
    reread_pose,
    share_moved,
)
from dpa.engine.analysis.table import Table, table
from dpa.engine.attack.objective import mpjpe


@dataclass(frozen=True)
class SwapResult:
    """For n pairs of a pose source and an appearance donor.

    source, donor, swapped: [n, 3, s, s] in [0, 1], the two reconstructions and the picture with the source's
    pose code and the donor's appearance code. colours_moved: how far the colours inside the source's mask
    went to the donor's, 0 to 1. shift_mm: [n], MPJPE of φ on the swapped picture against φ on the source's
    reconstruction: 17 joints, root-relative, no alignment.
    """

    source: Tensor
    donor: Tensor
    swapped: Tensor
    colours_moved: float
    shift_mm: NDArray[np.float64]

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        return {
            "swap_colours_moved": self.colours_moved,
            "swap_pose_shift_mm": float(self.shift_mm.mean()),
            "swap_pose_shift_p90_mm": float(np.percentile(self.shift_mm, 90)),
        }

    def table(self) -> Table:
        """One line of figures."""
        return table(
            "Swapped appearance (Fig. 2, 8)",
            ("pairs", "colours moved to the donor's (%)", "pose moved (mm)", "90th percentile (mm)"),
            [
                [
                    str(len(self.shift_mm)),
                    f"{100 * self.colours_moved:.0f}",
                    f"{self.shift_mm.mean():.1f}",
                    f"{np.percentile(self.shift_mm, 90):.1f}",
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
    moved = share_moved(*(colour_profile(one.rgb, one.mask) for one in (own, theirs, swapped)))
    before, after = (reread_pose(network, one, sources.box, source_behind) for one in (own, swapped))
    return SwapResult(
        source=before_background(own, sources.box, source_behind).cpu(),
        donor=before_background(theirs, donors.box, donor_behind).cpu(),
        swapped=before_background(swapped, sources.box, source_behind).cpu(),
        colours_moved=moved,
        shift_mm=mpjpe(after, before).double().cpu().numpy(),
    )
