"""Frames and background plates on their way from the disk to the samples under attack."""

import mmap
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.attack.scheduler import AT_ONCE
from dpa.engine.attack.state import FrameBatch
from dpa.models.data.store import PackedStore, as_images
from dpa.models.devices import is_gpu, upload

SAMPLES_BEYOND_THE_BATCH = 4 * AT_ONCE
"""Samples that need their plate and have no slot: they wait for one, or to be judged and handed out."""


def frame_batches(store: PackedStore, rows: NDArray[np.int64], device: torch.device) -> Iterator[FrameBatch]:
    """The frames `rows` of a store in groups of AT_ONCE, in that order: read on a thread of their own, and on
    a GPU uploaded one group ahead, as the bytes that they are. In memory here are the group that is handed
    out, on a GPU the one that is on its way, and the one that is being read."""
    starts = iter(range(0, len(rows), AT_ONCE))
    on_its_way: deque[FrameBatch] = deque()
    with ThreadPoolExecutor(1, "frames") as reader:

        def read_next() -> Future[FrameBatch] | None:
            start = next(starts, None)
            return None if start is None else reader.submit(_read, store, rows[start : start + AT_ONCE])

        coming = read_next()
        while coming is not None or on_its_way:
            while coming is not None and len(on_its_way) <= is_gpu(device):
                batch, coming = coming.result(), read_next()
                frames = upload(batch.frames, device)
                on_its_way.append(FrameBatch(batch.index, frames, batch.plate_index))
            yield on_its_way.popleft()


def _read(store: PackedStore, rows: NDArray[np.int64]) -> FrameBatch:
    frames = torch.from_numpy(store.frames_u8_at(rows))
    _release(store.frames)
    return FrameBatch(torch.from_numpy(rows), frames, torch.from_numpy(store.plate[rows].astype(np.int64)))


def _release(mapped: NDArray[np.uint8]) -> None:
    """Gives back the pages of a file that were read: each frame is needed once, and a process that maps
    them all looks as large as its file."""
    if isinstance(mapped.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.base.madvise(mmap.MADV_DONTNEED)


class PlateWindow:
    """Background plates of the samples under attack and of no others: a store can hold one for every frame.

    plates: float32 [C, 3, H, W] in [0, 1], C at most `capacity`; what a sample's plate_index points into.
    One tensor for the whole run, overwritten in place where its plate is no longer needed: judge and step
    back-ends hold on to it. capacity: as many samples as can need their plate at once.
    """

    def __init__(self, store: PackedStore, capacity: int, device: torch.device) -> None:
        self._store = store
        places = min(capacity, len(store.plates))
        self.plates: Tensor = as_images(np.array(store.plates[:places], subok=False)).to(device)
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
        return FrameBatch(batch.index, batch.frames, torch.tensor(places))

    def release(self, numbers: list[int]) -> None:
        """Samples that have ended: numbers of frames."""
        for number in self._store.plate[numbers].tolist():
            self._users[self._place[number]] -= 1

    def _load(self, number: int) -> int:
        """Reads a plate into a place that nobody needs."""
        place = self._users.index(0)
        del self._place[self._holds[place]]
        plate = as_images(np.array(self._store.plates[number : number + 1], subok=False))[0]
        self.plates[place].copy_(upload(plate, self.plates.device))
        self._holds[place], self._place[number] = number, place
        return place
