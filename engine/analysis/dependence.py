"""DC(A, P) of Table 3: what the two codes share, beside what nothing shared would make."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dpa.engine.analysis.distance_correlation import (
    PermutationNull,
    bias_corrected_correlation,
    distance_correlation,
    distance_moments,
    permutation_null,
)
from dpa.engine.analysis.table import Table, table


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

    def table(self) -> Table:
        """A line for each of the two."""
        figures = (
            ("DC(A, P)", self.dc, self.null.dc),
            ("dCor(A, P), bias corrected", self.dcor, self.null.dcor),
        )
        rows = [
            [
                name,
                f"{value:.3f}",
                f"{null.mean():.3f}",
                f"{np.percentile(null, 95):.3f}",
                f"{self.null.p_value:.3g}",
            ]
            for name, value, null in figures
        ]
        return table(
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
