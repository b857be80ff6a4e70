"""Batches prepared ahead of the training step, in a thread of their own."""

import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.models import distributed
from dpa.models.data.store import PackedStore
from dpa.models.devices import is_gpu, upload
from dpa.models.errors import InputError
from dpa.models.frameworks.objective import FrameBatch, LabelledBatch, Sampler


class BatchSource:
    """Gathers the frames of given rows, where `labelled` with their poses and true boxes. Plates, cameras and
    what is known of each frame stay on the device; frames travel as bytes, pinned and without waiting, unless
    all of them are `resident` there."""

    def __init__(
        self, store: PackedStore, device: torch.device, labelled: bool = False, resident: bool = False
    ) -> None:
        self.store, self.device, self.labelled = store, device, labelled
        self.plates = store.plates_tensor().to(device)
        rotations = np.stack([camera.rotation for camera in store.cameras]).astype(np.float32)
        subjects = np.unique(store.subject, return_inverse=True)[1]
        self.rotations, self.camera, self.plate, self.subject, self.sequence, self.time = (
            torch.from_numpy(np.array(column)).to(device)
            for column in (
                rotations,
                store.camera,
                store.plate,
                subjects.astype(np.int64),
                store.sequence,
                store.time.astype(np.float32),
            )
        )
        self.frames = _resident(store, device) if resident and is_gpu(device) else None

    def batch(self, rows: NDArray[np.int64]) -> FrameBatch:
        """The frames of these rows with what self-supervision may know of them."""
        chosen = upload(torch.from_numpy(rows), self.device)
        known = FrameBatch(
            frames=self._images(rows, chosen),
            plates=self.plates,
            plate_index=self.plate[chosen],
            rotation=self.rotations[self.camera[chosen]],
            subject=self.subject[chosen],
            sequence=self.sequence[chosen],
            time=self.time[chosen],
        )
        if not self.labelled:
            return known
        pose, box = (
            upload(torch.from_numpy(np.array(column[rows])), self.device)
            for column in (self.store.poses, self.store.box)
        )
        return LabelledBatch(**vars(known), pose=pose, true_box=box)

    def _images(self, rows: NDArray[np.int64], chosen: Tensor) -> Tensor:
        if not is_gpu(self.device):
            return self.store.frames_at(rows)
        if self.frames is None:
            pixels = upload(torch.from_numpy(self.store.frames_u8_at(rows)), self.device)
        else:
            pixels = self.frames[chosen]
        return pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def _resident(store: PackedStore, device: torch.device, piece: int = 4096) -> Tensor:
    """All frames on the device, uint8 [N, H, W, 3]; they pass through the host's memory piece by piece."""
    frames = torch.empty(store.frames.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(store), piece):
        part = store.frames_u8_at(slice(start, start + piece))
        frames[start : start + piece] = torch.from_numpy(part).to(device)
    return frames


def split_sequences(
    store: PackedStore, held_out: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows for training and for validation; whole sequences go to one side or the other.

    Of a single sequence its last instants are held out, which is said in the log: they look like those that
    train. Raises InputError where there is one instant alone.
    """
    sequences = np.unique(store.sequence)
    if len(sequences) == 1:
        return _split_instants(store, held_out)
    count = min(max(1, round(held_out * len(sequences))), len(sequences) - 1)
    kept = np.random.default_rng([seed, 0x5EED]).permutation(sequences)[:count]
    outside = np.isin(store.sequence, kept)
    return np.flatnonzero(~outside), np.flatnonzero(outside)


def _split_instants(store: PackedStore, held_out: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The only sequence's first and last instants."""
    instants = np.unique(store.frame)
    if len(instants) < 2:
        raise InputError(
            found=f"{store.path}: one instant of one sequence",
            expected="two instants at least: one to train on, one to validate with",
            remedy="add clips, or import more frames of this one",
        )
    count = min(max(1, round(held_out * len(instants))), len(instants) - 1)
    logging.getLogger(__name__).warning(
        "%s holds one sequence: its last %d of %d instants validate, though they look like the rest",
        store.path, count, len(instants),
    )  # fmt: skip
    outside = store.frame >= instants[-count]
    return np.flatnonzero(~outside), np.flatnonzero(outside)


def step_generator(seed: int, step: int) -> np.random.Generator:
    """Random numbers that depend on the step alone, so that a resumed run draws what it would have drawn."""
    return np.random.default_rng([seed, step])


class Prefetcher:
    """Iterates (step, batch) over `steps`; `waited` counts the seconds spent on input. Where several
    processes train, every one draws the whole batch's rows and gathers its own part."""

    def __init__(
        self, source: BatchSource, sampler: Sampler, size: int, seed: int, steps: Iterable[int]
    ) -> None:
        self.waited = 0.0
        self._queue: queue.Queue[tuple[int, FrameBatch | BaseException | None]] = queue.Queue(maxsize=3)
        self._stop = threading.Event()
        self._steps = steps
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
            if not self._put(step, item) or isinstance(item, BaseException):
                return
        self._put(-1, None)

    def _put(self, step: int, item: FrameBatch | BaseException | None) -> bool:
        """Waits for room; False where nobody wants more."""
        while not self._stop.is_set():
            try:
                self._queue.put((step, item), timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[tuple[int, FrameBatch]]:
        while True:
            began = time.perf_counter()
            step, item = self._queue.get()
            self.waited += time.perf_counter() - began
            if item is None:
                return
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
