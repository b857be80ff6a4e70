"""Results on their way to the disk, on a thread of their own: the tables that a run writes."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.attack.judge import similarity
from dpa.engine.attack.state import AttackResult
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import PackedStore
from dpa.models.devices import Download, upload
from dpa.models.training.validation import mpjpe

Column = NDArray[np.generic]

SAMPLES, PICTURES = "samples.parquet", "adversarial"
"""The two tables: a row of figures a sample, and the frames of some."""

FROM_STORE = ("subject", "action", "sequence", "camera", "frame")
FROM_RESULT = (
    "status",
    "success",
    "iterations",
    "initial_error_mm",
    "final_error_mm",
    "forwards",
    "backwards",
    "h_a",
    "h_a0",
    "h_p0",
    "box",
    "initial_pose",
    "final_pose",
    "trace",
)


def figures_of(result: AttackResult) -> dict[str, Tensor]:
    """What is kept of some samples in numbers, on their device: see FROM_RESULT; ssim, psnr_db and mse
    between synthesised and adversarial frame, and the same inside the person's box as box_ssim, box_psnr_db
    and box_mse."""
    changed = similarity(result.initial_frame, result.adversarial_frame, result.box)
    figures = {name: getattr(result, name) for name in FROM_RESULT}
    return figures | {field.name: getattr(changed, field.name) for field in fields(changed)}


def sample_columns(
    numbers: Sequence[int], figures: Mapping[str, Tensor], store: PackedStore
) -> dict[str, Column]:
    """The rows of samples.parquet: figures as `figures_of` has them, on the host, of the frames `numbers` of
    `store`; the store's own columns; ground_truth_error_mm, the MPJPE of the initial prediction."""
    rows = np.array(numbers, dtype=np.int64)
    columns = {name: to_numpy(values) for name, values in figures.items()}
    truth = store.poses[rows].astype(float)
    return {
        "index": rows,
        **{name: getattr(store, name)[rows] for name in FROM_STORE},
        **columns,
        "ground_truth_error_mm": mpjpe(columns["initial_pose"].astype(float), truth),
    }


def picture_columns(numbers: Sequence[int], before: Tensor, after: Tensor) -> dict[str, Column]:
    """index; synthesised, adversarial: uint8 [n, H, W, 3], the frames before and after the attack."""
    return {
        "index": np.array(numbers, dtype=np.int64),
        "synthesised": to_pictures(before),
        "adversarial": to_pictures(after),
    }


def to_numpy(values: Tensor) -> Column:
    """A tensor from any device."""
    array: Column = values.detach().cpu().numpy()
    return array


def to_pictures(frames: Tensor) -> NDArray[np.uint8]:
    """uint8 [n, 3, H, W] → [n, H, W, 3]."""
    pictures: NDArray[np.uint8] = frames.permute(0, 2, 3, 1).cpu().numpy()
    return pictures


SHARD_ROWS = 256
"""Samples in a shard, about; a run that is killed loses at most these and those under attack."""

SHARD_SECONDS = 30.0
"""A slow run writes earlier than that: no more than half a minute's results wait."""

SHARD_BYTES = 64_000_000
"""Nor more pictures than these: 256 pairs of small frames, about ten of Human3.6M's."""

GROUPS_AHEAD = 2
"""Groups of results that may wait for the writer; then the attack waits, so that memory stays bounded."""


@dataclass(frozen=True)
class Gathered:
    """A group of results on its way: coming holds the figures by `names`, then the frames of `pictured`
    before and after. seconds: since the run began."""

    numbers: list[int]
    pictured: list[int]
    names: list[str]
    coming: Download
    seconds: float


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
        self._pictured = frozenset(pictured)
        self._numbers = numbers
        self._started = time.perf_counter() - seconds_before
        self._figures: list[dict[str, Column]] = []
        self._pictures: list[dict[str, Column]] = []
        self._flushed = time.perf_counter()
        self._error: BaseException | None = None
        self._waiting: queue.Queue[Gathered | None] = queue.Queue(GROUPS_AHEAD)
        self._thread = threading.Thread(target=self._work, name="shards")

    def __call__(self, result: AttackResult, numbers: list[int]) -> None:
        """Takes results over: measures them on their device and asks for the figures, and for the frames of
        those that are pictured alone; whoever writes waits for them. Raises what the writer met, DiskFull
        above all."""
        if self._error is not None:
            raise self._error
        shown = [row for row, number in enumerate(numbers) if number in self._pictured]
        rows = upload(torch.tensor(shown, dtype=torch.int64), result.device)
        figures = figures_of(result)
        frames = (result.initial_frame[rows], result.adversarial_frame[rows])
        seconds = time.perf_counter() - self._started
        pictured = [numbers[row] for row in shown]
        coming = Download(*figures.values(), *frames)
        self._waiting.put(Gathered(numbers, pictured, list(figures), coming, seconds))

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._guarded(self._gather, item)
        self._guarded(self._flush)

    def _guarded(self, work: Callable[..., None], *given: object) -> None:
        """After an error nothing more is written, but results are still taken: who hands them in must not
        wait for ever."""
        if self._error is None:
            try:
                work(*given)
            except BaseException as error:
                self._error = error

    def _gather(self, item: "Gathered") -> None:
        *values, before, after = item.coming.read()
        figures = dict(zip(item.names, values, strict=True))
        columns = sample_columns(item.numbers, figures, self._store)
        self._figures.append(columns | {"elapsed_s": np.full(len(item.numbers), item.seconds)})
        self._pictures.append(picture_columns(item.pictured, before, after))
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


def read_samples(run: RunDirectory, columns: Sequence[str] | None = None) -> dict[str, Column]:
    """The table of samples in the order of their `index`, whatever order they ended in, so that a mean
    over it is the same number however often the run was stopped. columns: all by default; each of a
    sample's long ones (codes, poses, trace) costs memory. Raises BadShard."""
    wanted = None if columns is None else list(dict.fromkeys(("index", *columns)))
    samples = run.read_shards(SAMPLES, wanted)
    order = samples["index"].argsort(kind="stable")
    return {name: column[order] for name, column in samples.items()}
