"""What a code tells of a label, by its nearest neighbours: the number behind Figures 4 and 9."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.engine.analysis.distance_correlation import pairwise_distances
from dpa.models.errors import InputError

Labels = NDArray[np.generic]


class NoOtherClip(InputError):
    """No sample has a neighbour with its own label in another clip, so nothing can be told."""

    def __init__(self, what: str) -> None:
        super().__init__(
            found=f"every {what} is seen in one clip only",
            expected=f"several clips of each {what}, as neighbours from the same clip do not count",
            remedy="take a larger data set or more of its samples",
        )


@dataclass(frozen=True)
class NeighbourAccuracy:
    """accuracy: share of samples whose k nearest neighbours from other clips vote for their label.
    low, high: 95 % interval, clips drawn again with replacement. chance: mean accuracy with the clips'
    labels dealt out anew; chance_high: its 95th percentile."""

    accuracy: float
    low: float
    high: float
    chance: float
    chance_high: float
    samples: int
    labels: int
    k: int


def neighbour_accuracy(
    codes: ArrayLike,
    labels: Labels,
    clips: NDArray[np.int64],
    what: str,
    k: int = 5,
    draws: int = 500,
    seed: int = 0,
) -> NeighbourAccuracy:
    """Leave-one-clip-out k-NN. codes: [n, D]; labels, clips: [n], all samples of a clip with one label.

    Neighbours from the same clip are left out: they are nearly the same picture, and would find any label.
    Samples whose label no other clip has cannot be right and are not counted. `what` names a label in the
    error. Ties go to the nearest. Raises NoOtherClip.
    """
    rng = np.random.default_rng(seed)
    label = np.unique(labels, return_inverse=True)[1]
    _, first, clip = np.unique(clips, return_index=True, return_inverse=True)
    label_of_clip = label[first]
    counted = np.bincount(label_of_clip)[label] > 1
    if not counted.any():
        raise NoOtherClip(what)
    nearest = _nearest_in_other_clips(codes, clip, k)
    right = _vote(label[nearest]) == label
    dealt = (rng.permutation(label_of_clip)[clip] for _ in range(draws))
    chance = [float((_vote(new[nearest]) == new)[counted].mean()) for new in dealt]
    low, high = _interval(right[counted], clip[counted], draws, rng)
    return NeighbourAccuracy(
        accuracy=float(right[counted].mean()),
        low=low,
        high=high,
        chance=float(np.mean(chance)),
        chance_high=float(np.percentile(chance, 95)),
        samples=int(counted.sum()),
        labels=len(np.unique(label[counted])),
        k=nearest.shape[1],
    )


def centred_by(codes: ArrayLike, groups: Labels) -> NDArray[np.float64]:
    """Codes [n, D] about the mean of their own group, so that what tells groups apart is gone."""
    values = np.array(codes, dtype=np.float64)
    for group in np.unique(groups):
        values[groups == group] -= values[groups == group].mean(axis=0)
    return values


def _nearest_in_other_clips(codes: ArrayLike, clip: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """[n, k'] numbers of the nearest samples of other clips, nearest first; k' ≤ k so that all have them."""
    apart = pairwise_distances(codes)
    apart[clip[:, None] == clip] = np.inf
    k = min(k, len(clip) - int(np.bincount(clip).max()))
    return np.argsort(apart, axis=1, kind="stable")[:, :k]


def _vote(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels [n, k] of neighbours, nearest first → the most frequent of each row, the nearest of equals."""
    weight = 1 + 1 / (2.0 + np.arange(labels.shape[1])) ** 4
    votes = np.zeros((len(labels), int(labels.max()) + 1))
    np.add.at(votes, (np.arange(len(labels))[:, None], labels), weight)
    winners: NDArray[np.int64] = votes.argmax(axis=1)
    return winners


def _interval(
    right: NDArray[np.bool_], clip: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """2.5th and 97.5th percentile of the share that is right, whole clips drawn with replacement."""
    member = np.unique(clip, return_inverse=True)[1]
    hits, sizes = np.bincount(member, weights=right), np.bincount(member)
    drawn = rng.integers(len(sizes), size=(draws, len(sizes)))
    low, high = np.percentile(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), (2.5, 97.5))
    return float(low), float(high)
