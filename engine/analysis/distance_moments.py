"""Sums over the pairwise distances of two samples: all that distance correlation needs, in one pass over
blocks, so that the distance matrices are never held."""

from collections.abc import Iterator
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
