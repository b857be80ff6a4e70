"""Do pose codes drift apart as time passes? What CSSL asks for (paper, section 3), measured for any
framework."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.regressor_fit import pose_codes

FEWEST_INSTANTS = 3
"""With two instants a video has one pair, and nothing to rank within it."""


def videos(store: PackedStore, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows of each video, one sequence seen by one camera, that has three instants or more."""
    keys = np.stack([store.sequence[rows], store.camera[rows]])
    for key in np.unique(keys, axis=1).T:
        video = rows[(keys == key[:, None]).all(0)]
        if len(np.unique(store.time[video])) >= FEWEST_INSTANTS:
            yield video


def rank_correlation(codes: Sequence[ArrayLike], times: Sequence[ArrayLike]) -> float:
    """Spearman's rank correlation of code distance and time gap over all pairs of frames of one video.

    codes: [n, D] for each video; times: [n] seconds. All videos' pairs are ranked together, since the
    distance that CSSL asks for is the same in every video. In [-1, 1]; 0 where all distances are equal.
    """
    distances = np.concatenate([pdist(np.asarray(code, dtype=np.float64)) for code in codes])
    gaps = np.concatenate([pdist(np.asarray(time, dtype=np.float64)[:, None]) for time in times])
    if np.ptp(distances) == 0 or np.ptp(gaps) == 0:
        return 0.0
    return float(spearmanr(distances, gaps).statistic)


def pose_time_spearman(
    network: DisentangledNetwork, store: PackedStore, rows: NDArray[np.int64]
) -> float | None:
    """The rank correlation for a network's pose codes of these rows; None without a video of three
    instants."""
    found = list(videos(store, rows))
    if not found:
        return None
    codes = pose_codes(network, store, np.concatenate(found)).codes.cpu().numpy()
    ends = np.cumsum([len(video) for video in found])[:-1]
    return rank_correlation(np.split(codes, ends), [store.time[video] for video in found])
