"""The frames that engines are judged by and calibrated on."""

from pathlib import Path

import numpy as np
from torch import Tensor

from dpa.engine.evaluation_set import default_evaluation_set
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError


def held_out_frames(data: Path | None, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two disjoint sets of at most `count` frames [N, 3, H, W] in [0, 1]: for parity, for calibration.

    data: a packed set that training never saw, the default evaluation set when None. The two come from
    different clips where there are several, `seed` draws them. Raises InputError below 2 frames.
    """
    store = default_evaluation_set() if data is None else PackedStore.open(data)
    if len(store) < 2:
        raise InputError(
            f"{len(store)} frames in {store.path}", "at least 2", "name a larger set with --data"
        )
    rows = np.random.default_rng(seed).permutation(len(store))
    calibrating = np.isin(store.sequence[rows], np.unique(store.sequence)[::2])
    if calibrating.all():
        calibrating = rows % 2 == 0
    first, second = (np.sort(rows[chosen][:count]) for chosen in (~calibrating, calibrating))
    return store.frames_at(first), store.frames_at(second)
