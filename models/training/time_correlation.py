"""Do pose codes drift apart as time passes? What CSSL asks for (paper, section 3), measured for any
framework."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.labelled_codes import pose_codes

FEWEST_INSTANTS = 3
"""With two instants a video has one pair, and nothing to rank."""


@dataclass(frozen=True)
class TimeCorrelation:
    """codes: rank correlation of pose codes' distance and time gap. poses: the same of the true poses, which
    come back as well as they go: what can be expected of a code that knows the pose and nothing else."""

    codes: float
    poses: float


def videos(store: PackedStore, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows of each video, one sequence seen by one camera, that has three instants or more."""
    keys = np.stack([store.sequence[rows], store.camera[rows]])
    for key in np.unique(keys, axis=1).T:
        video = rows[(keys == key[:, None]).all(0)]
        if len(np.unique(store.time[video])) >= FEWEST_INSTANTS:
            yield video


def rank_correlation(codes: Sequence[ArrayLike], times: Sequence[ArrayLike]) -> float:
    """Spearman's rank correlation of code distance and time gap over the pairs of frames of a video, mean
    over videos. Within them, since some actions are fast and others slow.

    codes: [n, D] for each video; times: [n] seconds. In [-1, 1]; a video whose codes are all equal counts 0.
    """
    return float(np.mean([_of_one(code, time) for code, time in zip(codes, times, strict=True)]))


def _of_one(codes: ArrayLike, times: ArrayLike) -> float:
    distances = pdist(np.asarray(codes, dtype=np.float64))
    gaps = pdist(np.asarray(times, dtype=np.float64)[:, None])
    if np.ptp(distances) == 0 or np.ptp(gaps) == 0:
        return 0.0
    return float(spearmanr(distances, gaps).statistic)


def pose_time_spearman(
    network: DisentangledNetwork, store: PackedStore, rows: NDArray[np.int64]
) -> TimeCorrelation | None:
    """The rank correlation for a network's pose codes of these rows; None without a video of three
    instants."""
    found = list(videos(store, rows))
    if not found:
        return None
    labelled = pose_codes(network, store, np.concatenate(found))
    ends = np.cumsum([len(video) for video in found])[:-1]
    times = [store.time[video] for video in found]
    codes, poses = (np.split(one.flatten(1).cpu().numpy(), ends) for one in (labelled.codes, labelled.poses))
    return TimeCorrelation(rank_correlation(codes, times), rank_correlation(poses, times))
