"""Results on their way to the disk, on a thread of their own: the attack goes on meanwhile."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType

import numpy as np
import torch

from dpa.engine.attack.result import AttackResult
from dpa.engine.attack.samples import Column, picture_columns, sample_columns
from dpa.engine.attack.stored import PICTURES, SAMPLES
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import PackedStore

SHARD_ROWS = 256
"""Samples in a shard, about; a run that is killed loses at most these and those under attack."""

SHARD_SECONDS = 30.0
"""A slow run writes earlier than that: no more than half a minute's results wait."""

SHARD_BYTES = 64_000_000
"""Nor more pictures than these: 256 pairs of small frames, about ten of Human3.6M's."""

GROUPS_AHEAD = 2
"""Groups of results that may wait for the writer; then the attack waits, so that memory stays bounded."""


class ShardWriter:
    """The sink of a run. A context manager: leaving it writes what is gathered, after an error too, so that
    what ended is never lost; an error of the writer's own is raised by the next result or at the end.

    pictured: samples whose pictures are kept. numbers: of the shards to come. seconds_before: what earlier
    parts of the run took.
    """

    def __init__(
        self,
        run: RunDirectory,
        store: PackedStore,
        *,
        pictured: Collection[int],
        numbers: Iterator[int],
        seconds_before: float = 0.0,
    ) -> None:
        self._run, self._store = run, store
        self._pictured = np.array(sorted(pictured), dtype=np.int64)
        self._numbers = numbers
        self._started = time.perf_counter() - seconds_before
        self._figures: list[dict[str, Column]] = []
        self._pictures: list[dict[str, Column]] = []
        self._flushed = time.perf_counter()
        self._error: BaseException | None = None
        self._waiting: queue.Queue[tuple[AttackResult, float] | None] = queue.Queue(GROUPS_AHEAD)
        self._thread = threading.Thread(target=self._work, name="shards")

    def __call__(self, result: AttackResult) -> None:
        """Takes results over. Raises what the writer met, DiskFull above all."""
        if self._error is not None:
            raise self._error
        self._waiting.put((result.to("cpu"), time.perf_counter() - self._started))

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._guarded(self._gather, *item)
        self._guarded(self._flush)

    def _guarded(self, work: Callable[..., None], *given: object) -> None:
        """After an error nothing more is written, but results are still taken: who hands them in must not
        wait for ever."""
        if self._error is None:
            try:
                work(*given)
            except BaseException as error:
                self._error = error

    def _gather(self, result: AttackResult, seconds: float) -> None:
        columns = sample_columns(result, self._store)
        self._figures.append(columns | {"elapsed_s": np.full(len(result), seconds)})
        shown = np.isin(columns["index"], self._pictured)
        self._pictures.append(picture_columns(result.take(torch.from_numpy(shown))))
        if self._full():
            self._flush()

    def _full(self) -> bool:
        rows = sum(len(part["index"]) for part in self._figures)
        size = sum(column.nbytes for part in self._pictures for column in part.values())
        late = time.perf_counter() - self._flushed >= SHARD_SECONDS
        return rows >= SHARD_ROWS or size >= SHARD_BYTES or late

    def _flush(self) -> None:
        """Writes what is gathered, pictures first: a row of figures always has its pictures."""
        if self._figures:
            number = next(self._numbers)
            self._run.shard(PICTURES, number, joined(self._pictures))
            self._run.shard(SAMPLES, number, joined(self._figures))
            self._figures, self._pictures = [], []
        self._flushed = time.perf_counter()

    def __enter__(self) -> "ShardWriter":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error


def joined(parts: Sequence[dict[str, Column]]) -> dict[str, Column]:
    """Tables of the same columns, one under the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
