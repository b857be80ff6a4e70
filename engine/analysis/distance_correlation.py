"""Distance correlation of two codes: the paper's DC(A, P), the same without its upward bias, and what both
come to when the codes have nothing to do with each other.

Székely, Rizzo and Bakirov 2007 (V-statistic) and Székely and Rizzo 2014 (U-centred), both in closed form
over sums of pairwise distances, which are taken in one pass over blocks, so that the distance matrices are
never held.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BLOCK = 1024
"""Rows of a block: two blocks of distances take 16 MB whatever the number of samples."""


@dataclass(frozen=True)
class DistanceMoments:
    """Of distances a_ij and b_ij between n samples. aa, ab, bb: Σ_ij a_ij², Σ_ij a_ij·b_ij, Σ_ij b_ij².
    rows_a, rows_b: [n], Σ_j a_ij and Σ_j b_ij."""

    aa: float
    ab: float
    bb: float
    rows_a: Array
    rows_b: Array

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.rows_a)


def distances(x: ArrayLike, y: ArrayLike) -> Array:
    """Euclidean distances between rows. [n, D], [m, D] → [n, m].

    By the inner products, so a distance far below the samples' own length is only good to about 1e-8 of it.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    squares: Array = x @ y.T
    squares *= -2
    squares += np.einsum("nd,nd->n", x, x)[:, None]
    squares += np.einsum("nd,nd->n", y, y)
    np.maximum(squares, 0, out=squares)
    np.sqrt(squares, out=squares)
    return squares


def pairwise_distances(x: ArrayLike) -> Array:
    """Euclidean distances within a sample, exactly zero on the diagonal. [n, D] → [n, n]."""
    x = centred(x)
    square = distances(x, x)
    np.fill_diagonal(square, 0)
    return square


def distance_moments(x: ArrayLike, y: ArrayLike, block: int = BLOCK) -> DistanceMoments:
    """Sums over all pairs of n samples. x: [n, D], y: [n, E], whose rows belong together.

    Time n²·(D + E), memory block² beside the samples; every pair of blocks is visited once.
    """
    x, y = centred(x), centred(y)
    rows_a, rows_b = np.zeros(len(x)), np.zeros(len(x))
    aa = ab = bb = 0.0
    for here, there in _block_pairs(len(x), block):
        a, b = distances(x[here], x[there]), distances(y[here], y[there])
        weight = 1 if here == there else 2
        if here == there:
            np.fill_diagonal(a, 0)
            np.fill_diagonal(b, 0)
        else:
            rows_a[there] += a.sum(axis=0)
            rows_b[there] += b.sum(axis=0)
        rows_a[here] += a.sum(axis=1)
        rows_b[here] += b.sum(axis=1)
        aa += weight * float(np.vdot(a, a))
        ab += weight * float(np.vdot(a, b))
        bb += weight * float(np.vdot(b, b))
    return DistanceMoments(aa, ab, bb, rows_a, rows_b)


def centred(x: ArrayLike) -> Array:
    """[n, D] in double precision about its mean, where `distances` is most exact. A constant column is 0 to
    the last digit, so that a constant sample has no distances at all."""
    values = np.asarray(x, dtype=np.float64)
    shifted: Array = np.where((values == values[:1]).all(axis=0), 0.0, values - values.mean(axis=0))
    return shifted


def _block_pairs(n: int, block: int) -> Iterator[tuple[slice, slice]]:
    """The blocks of the upper triangle, those on the diagonal included."""
    for first in range(0, n, block):
        for second in range(first, n, block):
            yield slice(first, first + block), slice(second, second + block)


FEWEST = 4
"""Samples that the U-centred estimate needs at least."""

Covariance = Callable[[int, float, float, float], float]
"""(n, Σ_ij a_ij·b_ij, Σ_i (Σ_j a_ij)(Σ_j b_ij), Σ_ij a_ij · Σ_ij b_ij) → squared distance covariance."""


def v_covariance(n: int, products: float, row_products: float, totals: float) -> float:
    """The mean product of the two doubly centred distance matrices."""
    return products / n**2 - 2 * row_products / n**3 + totals / n**4


def u_covariance(n: int, products: float, row_products: float, totals: float) -> float:
    """The same of the two U-centred matrices: unbiased, so that independence makes 0."""
    inner = products - 2 * row_products / (n - 2) + totals / ((n - 1) * (n - 2))
    return inner / (n * (n - 3))


def squared_correlation(
    covariance: Covariance,
    moments: DistanceMoments,
    products: float | None = None,
    row_products: float | None = None,
) -> float:
    """Squared distance correlation; 0 where one sample is constant.

    products, row_products: what stands for Σ_ij a_ij·b_ij and Σ_i (Σ_j a_ij)(Σ_j b_ij); they alone change
    when the second sample is put in another order.
    """
    n, a, b = moments.n, moments.rows_a, moments.rows_b
    variance_a = covariance(n, moments.aa, float(a @ a), float(a.sum() ** 2))
    variance_b = covariance(n, moments.bb, float(b @ b), float(b.sum() ** 2))
    if min(variance_a, variance_b) <= 0:
        return 0.0
    products = moments.ab if products is None else products
    row_products = float(a @ b) if row_products is None else row_products
    shared = covariance(n, products, row_products, float(a.sum() * b.sum()))
    return shared / float(np.sqrt(variance_a * variance_b))


def signed_root(square: float) -> float:
    """sign(x)·√|x|: a bias-corrected square may be below 0."""
    return float(np.sign(square) * np.sqrt(abs(square)))


def distance_correlation(moments: DistanceMoments) -> float:
    """DC as the paper has it, as vios-s/CSDisentanglement_Metrics_Library computes it, in [0, 1].

    Biased upward: of 400 independent Gaussians with 128 and 600 dimensions it makes 0.83.
    """
    return signed_root(max(squared_correlation(v_covariance, moments), 0.0))


def bias_corrected_correlation(moments: DistanceMoments) -> float:
    """U-centred distance correlation on the scale of DC: the signed root of the bias-corrected square.

    About 0 for independent samples whatever their dimensions, 1 for equal ones, below 0 by chance.
    ValueError for fewer than FEWEST samples.
    """
    if moments.n < FEWEST:
        raise ValueError(f"{moments.n} samples, at least {FEWEST} are needed")
    return signed_root(squared_correlation(u_covariance, moments))


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
