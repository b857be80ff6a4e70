"""How much groups differ, in many dimensions at once."""

import numpy as np
from numpy.typing import NDArray

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
