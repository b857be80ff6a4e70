"""Frames of a data set as the attack takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.evaluation_set import choose_samples
from dpa.models.data.store import PackedStore


@dataclass(frozen=True)
class Samples:
    """rows: [n] int64, numbers of the frames in the data set. frames: [n, 3, H, W] in [0, 1]. plates:
    [P, 3, H, W] in [0, 1]. plate_index: [n] int64. poses: [n, 17, 3] mm, the true ones."""

    rows: NDArray[np.int64]
    frames: Tensor
    plates: Tensor
    plate_index: Tensor
    poses: Tensor


def take_samples(
    data: PackedStore,
    count: int,
    *,
    seed: int = 0,
    subjects: Sequence[str] | None = None,
    device: torch.device | str = "cpu",
) -> Samples:
    """At most `count` frames, spread evenly over subjects, actions and cameras; the same ones that
    `dpa-engine attack --samples COUNT --seed SEED` takes. Raises InputError for a subject that is not there.

    >>> samples = take_samples(PackedStore.open(folder), 4)
    >>> appearance_attack(G, T, samples.frames, samples.plates, samples.plate_index, AttackConfig())
    """
    rows = choose_samples(data, count, seed, subjects)
    return Samples(
        rows=rows,
        frames=data.frames_at(rows).to(device),
        plates=data.plates_tensor().to(device),
        plate_index=torch.from_numpy(data.plate[rows].astype(np.int64)).to(device),
        poses=torch.from_numpy(data.poses[rows].copy()).to(device),
    )
