"""What distance correlation comes to when two codes have nothing to do with each other: the second is put
in random order again and again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.engine.analysis.distance_correlation import (
    bias_corrected_correlation,
    signed_root,
    squared_correlation,
    u_covariance,
    v_covariance,
)
from dpa.engine.analysis.distance_moments import Array, DistanceMoments, pairwise_distances

MOST = 2000
"""Samples of the null at most: its two distance matrices are held, 32 MB each at this number."""


@dataclass(frozen=True)
class PermutationNull:
    """dc, dcor: [R], both figures under R random orders. p_value: share of orders, the given one counted,
    whose dcor is at least the observed one; 1 / (R + 1) at best. samples: how many were used."""

    dc: Array
    dcor: Array
    p_value: float
    samples: int


def permutation_null(
    x: ArrayLike, y: ArrayLike, permutations: int = 200, seed: int = 0, most: int = MOST
) -> PermutationNull:
    """The null of DC and dCor. x: [n, D], y: [n, E], n ≥ 4; of more than `most` samples so many are drawn.

    Every order is held to be equally likely, as if frames were independent. Frames of one clip are not,
    so the p-value says too much about one clip seen many times.
    """
    x, y = np.asarray(x), np.asarray(y)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(x))[:most]
    a, b = pairwise_distances(x[rows]), pairwise_distances(y[rows])
    moments = moments_of(a, b)
    observed = bias_corrected_correlation(moments)
    orders = [rng.permutation(len(rows)) for _ in range(permutations)]
    figures = np.array([_reordered(moments, a, b, order) for order in orders]).reshape(-1, 2)
    p_value = (1 + np.count_nonzero(figures[:, 1] >= observed)) / (1 + permutations)
    return PermutationNull(figures[:, 0], figures[:, 1], p_value, len(rows))


def moments_of(a: Array, b: Array) -> DistanceMoments:
    """The sums over two distance matrices that are at hand, [n, n] each."""
    aa, ab, bb = (float(np.vdot(one, other)) for one, other in ((a, a), (a, b), (b, b)))
    return DistanceMoments(aa, ab, bb, a.sum(axis=1), b.sum(axis=1))


def _reordered(moments: DistanceMoments, a: Array, b: Array, order: NDArray[np.int64]) -> tuple[float, float]:
    """DC and dCor with the second sample in another order."""
    products = float(np.vdot(a, b[np.ix_(order, order)]))
    row_products = float(moments.rows_a @ moments.rows_b[order])
    dc, dcor = (
        squared_correlation(kind, moments, products, row_products) for kind in (v_covariance, u_covariance)
    )
    return signed_root(max(dc, 0.0)), signed_root(dcor)
