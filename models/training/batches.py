"""Batches prepared ahead of the training step, in a thread of their own."""

import queue
import threading
import time
from collections.abc import Iterator
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.models import distributed
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.objective import FrameBatch, LabelledBatch, Sampler


class BatchSource:
    """Gathers the frames of given rows, where `labelled` with their poses and true boxes; plates and cameras
    stay on the device."""

    def __init__(self, store: PackedStore, device: torch.device, labelled: bool = False) -> None:
        self.store, self.device, self.labelled = store, device, labelled
        self.plates = store.plates_tensor().to(device)
        rotations = np.stack([camera.rotation for camera in store.cameras]).astype(np.float32)
        self.rotations = torch.from_numpy(rotations).to(device)
        self.subject_key = np.unique(store.subject, return_inverse=True)[1].astype(np.int64)

    def batch(self, rows: NDArray[np.int64]) -> FrameBatch:
        """The frames of these rows with what self-supervision may know of them."""
        store = self.store

        def send(values: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

        known = FrameBatch(
            frames=store.frames_at(rows).to(self.device),
            plates=self.plates,
            plate_index=send(store.plate[rows]),
            rotation=self.rotations[send(store.camera[rows])],
            subject=send(self.subject_key[rows]),
            sequence=send(store.sequence[rows]),
            time=send(store.time[rows].astype(np.float32)),
        )
        if not self.labelled:
            return known
        return LabelledBatch(**vars(known), pose=send(store.poses[rows]), true_box=send(store.box[rows]))


def split_sequences(
    store: PackedStore, held_out: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows for training and for validation; whole sequences go to one side or the other."""
    sequences = np.unique(store.sequence)
    count = min(max(1, round(held_out * len(sequences))), len(sequences) - 1)
    kept = np.random.default_rng([seed, 0x5EED]).permutation(sequences)[:count]
    outside = np.isin(store.sequence, kept)
    return np.flatnonzero(~outside), np.flatnonzero(outside)


def step_generator(seed: int, step: int) -> np.random.Generator:
    """Random numbers that depend on the step alone, so that a resumed run draws what it would have drawn."""
    return np.random.default_rng([seed, step])


class Prefetcher:
    """Iterates (step, batch) from `start` to `stop`; `waited` counts the seconds spent on input. Where
    several processes train, every one draws the whole batch's rows and gathers its own part."""

    def __init__(
        self, source: BatchSource, sampler: Sampler, size: int, seed: int, start: int, stop: int
    ) -> None:
        self.waited = 0.0
        self._queue: queue.Queue[tuple[int, FrameBatch | BaseException]] = queue.Queue(maxsize=3)
        self._stop = threading.Event()
        self._steps = range(start, stop)
        self._source, self._sampler, self._size, self._seed = source, sampler, size, seed
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        for step in self._steps:
            try:
                rows = distributed.part(self._sampler(self._size, step_generator(self._seed, step)))
                item: FrameBatch | BaseException = self._source.batch(rows)
            except BaseException as error:
                item = error
            while not self._stop.is_set():
                try:
                    self._queue.put((step, item), timeout=0.2)
                    break
                except queue.Full:
                    continue
            if self._stop.is_set() or isinstance(item, BaseException):
                return

    def __iter__(self) -> Iterator[tuple[int, FrameBatch]]:
        for _ in self._steps:
            began = time.perf_counter()
            step, item = self._queue.get()
            self.waited += time.perf_counter() - began
            if isinstance(item, BaseException):
                raise item
            yield step, item

    def __enter__(self) -> "Prefetcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
