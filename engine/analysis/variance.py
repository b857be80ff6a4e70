"""How much groups differ in many dimensions at once, and what makes a code vary."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def between_groups(values: Array, groups: NDArray[np.generic]) -> float:
    """Variance component between groups, summed over the dimensions: one-way analysis of variance with
    random effects, so that the spread within groups does not count. values: [n, D]; groups: [n].

    Unbiased, and so may come out slightly below 0 for groups that do not differ. ValueError for fewer than
    two groups or no group with two members.
    """
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, k = len(values), len(names)
    if k < 2 or n <= k:
        raise ValueError(f"{k} groups of {n} samples: at least two groups are needed, one of two samples")
    means = np.stack([values[member == group].mean(axis=0) for group in range(k)])
    between = float((sizes[:, None] * (means - values.mean(axis=0)) ** 2).sum()) / (k - 1)
    within = float(((values - means[member]) ** 2).sum()) / (n - k)
    effective = (n - float((sizes**2).sum()) / n) / (k - 1)
    return (between - within) / effective


@dataclass(frozen=True)
class VarianceShares:
    """Shares of a code's sum of squares about its mean; they sum to 1.

    outfit: what an outfit does on the average of all moments. outfit_and_moment: what it does differently in
    one moment and another. body: the mean of a body's moments (shape, skin, hair). pose: moments of one body
    (action, motion, camera). Bodies move differently, so `body` also holds the poses that they happen to
    have: about (bodies − 1) / moments of `pose`.
    """

    outfit: float
    outfit_and_moment: float
    body: float
    pose: float

    def summary(self, code: str) -> dict[str, float]:
        """Figures for results.json, named after the code."""
        return {f"{code}_variance_{name}": value for name, value in asdict(self).items()}


def variance_shares(codes: ArrayLike, bodies: NDArray[np.str_]) -> VarianceShares:
    """Two-way analysis of variance without replication, summed over the code's dimensions.

    codes: [O, m, D], m moments in O outfits each. bodies: [m]. NaN for a constant code.
    """
    values = np.asarray(codes, dtype=np.float64)
    values = values - values.mean(axis=(0, 1))
    outfits, moments = values.mean(axis=1), values.mean(axis=0)
    names, member = np.unique(bodies, return_inverse=True)
    means = np.stack([moments[member == body].mean(axis=0) for body in range(len(names))])
    total = float((values**2).sum())
    if total == 0:
        return VarianceShares(*[float("nan")] * 4)
    parts = (
        moments.shape[0] * float((outfits**2).sum()),
        float(((values - outfits[:, None] - moments) ** 2).sum()),
        len(outfits) * float((means[member] ** 2).sum()),
        len(outfits) * float(((moments - means[member]) ** 2).sum()),
    )
    return VarianceShares(*(part / total for part in parts))
