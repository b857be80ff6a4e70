"""Frames and background plates on their way from the disk to the samples under attack."""

import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.attack.scheduler import AT_ONCE
from dpa.engine.attack.state import FrameBatch
from dpa.models.data.store import PackedStore, as_images


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


class PlateWindow:
    """plates: float32 [C, 3, H, W] in [0, 1], C at most `capacity`; what a sample's plate_index points into.

    One tensor for the whole run, overwritten in place where its plate is no longer needed: judge and step
    back-ends hold on to it. capacity: as many samples as can be under attack and in preparation at once.
    """

    def __init__(self, store: PackedStore, capacity: int, device: torch.device) -> None:
        self._store = store
        places = min(capacity, len(store.plates))
        self.plates = as_images(np.array(store.plates[:places], subok=False)).to(device)
        self._holds = list(range(places))
        self._place = {number: number for number in range(places)}
        self._users = [0] * places

    def admit(self, batch: FrameBatch) -> FrameBatch:
        """The batch with plate_index, numbers of the store's plates, replaced by places in `plates`; each
        sample holds its plate until it is released."""
        places = []
        for number in batch.plate_index.tolist():
            place = self._place.get(number)
            if place is None:
                place = self._load(number)
            self._users[place] += 1
            places.append(place)
        return FrameBatch(batch.index, batch.frames, torch.tensor(places, device=batch.device))

    def release(self, index: Tensor) -> None:
        """Samples that have ended: int64 [n], numbers of frames."""
        for number in self._store.plate[index.cpu().numpy()].tolist():
            self._users[self._place[number]] -= 1

    def _load(self, number: int) -> int:
        """Reads a plate into a place that nobody needs."""
        place = self._users.index(0)
        del self._place[self._holds[place]]
        self.plates[place] = as_images(np.array(self._store.plates[number : number + 1], subok=False))[0]
        self._holds[place], self._place[number] = number, place
        return place
