"""Figures 3 and 10: the appearance code set to zero, and to its mean."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.codes import Backgrounds, Codes, Network
from dpa.engine.analysis.painting import Painted, before_background, colour_profile, paint
from dpa.engine.analysis.table import Table, table
from dpa.engine.analysis.variance import between_groups

OWN, ZERO, MEAN = "own code", "zero", "mean code"
KINDS = {"own": OWN, "zero": ZERO, "mean": MEAN}
"""The kinds of code by the names that files have for them."""


@dataclass(frozen=True)
class ZeroResult:
    """pictures: for OWN, ZERO and MEAN, [n, 3, s, s] in [0, 1]. variance: for each, the variance component
    of the colours inside the mask between subjects, in ΔE². samples: how many pictures it was taken over."""

    pictures: dict[str, Tensor]
    variance: dict[str, float]
    samples: int

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

    def table(self) -> Table:
        """A line for each kind of code."""
        return table(
            "Appearance code replaced (Fig. 3, 10)",
            ("appearance code", "between subjects (ΔE)", "variance left (%)"),
            [
                [kind, f"{np.sqrt(max(self.variance[kind], 0)):.2f}", f"{100 * self.share_left(kind):.0f}"]
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
    pictures, variance = {}, {}
    for kind, appearance in replaced.items():
        painted = Painted(paint(network, appearance, codes.pose).rgb, own.mask)
        variance[kind] = between_groups(colour_profile(painted.rgb, painted.mask), subjects)
        pictures[kind] = before_background(painted.take(shown), codes.box[shown], behind).cpu()
    return ZeroResult(pictures, variance, len(codes))
