"""Distance correlation of two codes: the paper's DC(A, P), and the same without its upward bias.

Székely, Rizzo and Bakirov 2007 (V-statistic) and Székely and Rizzo 2014 (U-centred), both in closed form
over the sums of `DistanceMoments`.
"""

from collections.abc import Callable

import numpy as np

from dpa.engine.analysis.distance_moments import DistanceMoments

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
    """DC as the paper has it (FACTS, DC and IOB), in [0, 1].

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
