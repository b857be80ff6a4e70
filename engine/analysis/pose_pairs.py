"""Pairs of frames that show a similar pose, or a different one, by ground truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ROWS = 128
"""Poses that are compared with all others at once: bounds memory, not results."""


@dataclass(frozen=True)
class Pairs:
    """first, second: [m] int64 numbers of samples. distance_mm: [m], see `pose_distances`."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance_mm: Array

    def __len__(self) -> int:
        return len(self.first)

    def take(self, chosen: NDArray[np.int64]) -> "Pairs":
        """Some of the pairs, in that order."""
        return Pairs(self.first[chosen], self.second[chosen], self.distance_mm[chosen])


def normalised_poses(poses: ArrayLike) -> Array:
    """Poses [n, J, 3] mm about their centroid and at the common mean size: Procrustes alignment but for the
    rotation. That stays, because a pose code is read in camera axes: a person from the front and the same
    pose from the side have different codes with good reason."""
    moved = np.asarray(poses, dtype=np.float64)
    moved = moved - moved.mean(axis=1, keepdims=True)
    size = np.linalg.norm(moved, axis=(1, 2), keepdims=True)
    aligned: Array = moved / size * size.mean()
    return aligned


def pose_distances(first: Array, second: Array) -> Array:
    """Mean joint distance between normalised poses [n, J, 3] and [m, J, 3] mm. Returns [n, m] mm."""
    parts = [
        np.linalg.norm(first[start : start + ROWS, None] - second[None], axis=-1).mean(axis=-1)
        for start in range(0, len(first), ROWS)
    ]
    return np.concatenate(parts)


def all_pairs(poses: ArrayLike, subjects: NDArray[np.str_], clips: NDArray[np.int64], *, same: bool) -> Pairs:
    """Every pair of different clips, of the same subject or of two, the most similar poses first.

    poses: [n, J, 3] mm; subjects, clips: [n].
    """
    apart = pose_distances(*[normalised_poses(poses)] * 2)
    wanted = (subjects[:, None] == subjects) == same
    wanted &= clips[:, None] != clips
    first, second = np.nonzero(np.triu(wanted, 1))
    order = np.argsort(apart[first, second], kind="stable")
    return Pairs(first[order], second[order], apart[first, second][order])


def most_similar(pairs: Pairs, count: int) -> Pairs:
    """At most `count` pairs from the first on, none of which shares a sample with another."""
    used: set[int] = set()
    chosen: list[int] = []
    for number, both in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
        if len(chosen) == count:
            break
        if used.isdisjoint(both):
            used.update(both)
            chosen.append(number)
    return pairs.take(np.array(chosen, dtype=np.int64))


def equally_distant(pairs: Pairs, wanted: Pairs) -> Pairs:
    """For each of the wanted pairs one of `pairs` whose poses are about as far apart, and none twice.

    pairs: ascending, at least as many as wanted.
    """
    free = np.ones(len(pairs), dtype=bool)
    chosen = []
    for distance in wanted.distance_mm:
        numbers = np.flatnonzero(free)
        nearest = numbers[np.abs(pairs.distance_mm[numbers] - distance).argmin()]
        free[nearest] = False
        chosen.append(nearest)
    return pairs.take(np.array(chosen, dtype=np.int64))


def spread(pairs: Pairs, count: int, low: float, high: float, seed: int) -> Pairs:
    """At most `count` random pairs between two quantiles of the distance, sharing no sample.

    low, high: in [0, 1]; pairs: ascending.
    """
    numbers = np.arange(round(low * len(pairs)), round(high * len(pairs)))
    return most_similar(pairs.take(np.random.default_rng(seed).permutation(numbers)), count)
