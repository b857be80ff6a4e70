"""Frames on their way from the disk, on a thread of their own: one group is read while one is attacked."""

import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.preparation import FrameBatch
from dpa.engine.attack.scheduler import AT_ONCE
from dpa.models.data.store import PackedStore


def frame_batches(store: PackedStore, rows: NDArray[np.int64], device: torch.device) -> Iterator[FrameBatch]:
    """The frames `rows` of a store in groups of AT_ONCE, in that order. At most two groups are in memory
    here: the one handed out and the one being read."""
    with ThreadPoolExecutor(1, "frames") as reader:
        coming = None
        for start in range(0, len(rows), AT_ONCE):
            ahead = reader.submit(_read, store, rows[start : start + AT_ONCE])
            if coming is not None:
                yield coming.result().to(device)
            coming = ahead
        if coming is not None:
            yield coming.result().to(device)


def _read(store: PackedStore, rows: NDArray[np.int64]) -> FrameBatch:
    frames = store.frames_at(rows)
    _release(store.frames)
    return FrameBatch(torch.from_numpy(rows), frames, torch.from_numpy(store.plate[rows]))


def _release(mapped: NDArray[np.uint8]) -> None:
    """Gives back the pages of a file that were read: each frame is needed once, and a process that maps
    them all looks as large as its file."""
    if isinstance(mapped.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.base.madvise(mmap.MADV_DONTNEED)
