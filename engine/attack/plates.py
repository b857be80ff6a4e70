"""Background plates of the samples under attack and of no others: a store can hold one for every frame."""

import numpy as np
import torch
from torch import Tensor

from dpa.engine.attack.preparation import FrameBatch
from dpa.models.data.store import PackedStore, as_images


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
