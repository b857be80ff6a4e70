"""Calls of fixed sizes, padded, and smaller ones where memory does not suffice.

Batched kernels round differently at different sizes, and an ascent carries that on until two runs of one
sample part. So whatever computes samples does so in calls of sizes fixed beforehand, padded with repeated
rows. On a CPU the sizes are those at which a sample's neighbours, its place in a call and the call's size
change no bit at the small preset (measured on two threads: 1 and 2 rows do, 4 and more do not; a matrix
product makes no promise). On one thread float32 convolutions round calls of 4 and 8 rows otherwise than
larger ones, a gradient by 1e-5 of its length, so none is that small: the last samples are slower, and a run
that was killed ends as one that was not."""

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from dpa.models.devices import is_gpu, release_cached_memory
from dpa.models.errors import DpaError

LARGEST_WASTE = 0.25
"""Share by which one padded call may exceed several smaller ones in rows."""

STEP_ROWS_CPU = (4, 8, 16, 32)
"""Samples in one call of a step on a CPU. Measured on two cores at the small preset, `fused`: 2.7, 2.0,
1.6 and 1.3 ms a sample; the small calls serve the last samples, which may take 200 steps."""

JUDGE_ROWS_CPU, JUDGE_ROWS_GPU = STEP_ROWS_CPU, (1, 4, 8, 16, 32)
"""Samples in one call of the judge, who often has one or two before him."""

FEWEST_ON_ONE_THREAD = 16
"""Rows of a call at least where PyTorch has one thread."""


def step_sizes(batch: int, device: torch.device) -> tuple[int, ...]:
    """The sizes of a step's calls for at most `batch` samples: on a CPU few and fixed ones,
    powers of two up to `batch` on a GPU, where a call costs by its launch."""
    return powers_of_two(batch) if is_gpu(device) else _on_these_threads(STEP_ROWS_CPU)


def judge_sizes(device: torch.device) -> tuple[int, ...]:
    """The sizes of the judge's calls."""
    return JUDGE_ROWS_GPU if is_gpu(device) else _on_these_threads(JUDGE_ROWS_CPU)


def _on_these_threads(sizes: tuple[int, ...]) -> tuple[int, ...]:
    fewest = FEWEST_ON_ONE_THREAD if torch.get_num_threads() == 1 else 1
    return tuple(size for size in sizes if size >= fewest)


def powers_of_two(largest: int) -> tuple[int, ...]:
    """Powers of two below `largest`, and `largest` itself, ascending. largest ≥ 1."""
    sizes = [1]
    while 2 * sizes[-1] < largest:
        sizes.append(2 * sizes[-1])
    return tuple(sizes) if sizes[-1] == largest else (*sizes, largest)


def cut(count: int, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """How `count` rows are run: (rows taken, size of the call) per call, in order.

    sizes: ascending. Takes the largest size that fits and goes on with the rest, or one padded call
    where that needs no more than a quarter more rows.
    """
    if not count:
        return []
    above, below = bisect_left(sizes, count), bisect_right(sizes, count) - 1
    if below < 0:
        return [(count, sizes[0])]
    split = [(sizes[below], sizes[below]), *cut(count - sizes[below], sizes)]
    rows = sum(size for _, size in split)
    if above < len(sizes) and sizes[above] <= (1 + LARGEST_WASTE) * rows:
        return [(count, sizes[above])]
    return split


def padded_calls(count: int, sizes: tuple[int, ...], device: torch.device) -> Iterator[tuple[Tensor, int]]:
    """For each call: which rows it computes, int64, and how many of them count, the first ones. The
    others repeat a row and are to be dropped."""
    start = 0
    for taken, size in cut(count, sizes):
        rows = torch.arange(start, start + size, device=device)
        yield rows.clamp_max(start + taken - 1), taken
        start += taken


Result = TypeVar("Result")

SAYINGS = ("out of memory", "not enough memory", "allocate memory", "bad allocation", "alloc_failed")
"""How PyTorch, cuBLAS and ONNX Runtime say it where the error has no class of its own."""

log = logging.getLogger(__name__)


class OutOfMemory(DpaError):
    """The smallest piece of work does not fit."""

    def __init__(self, rows: int, complaint: str) -> None:
        samples = "one sample" if rows == 1 else f"{rows} samples, the smallest call"
        super().__init__(
            f"out of memory with {samples}: {complaint}\n"
            f"  kept:  every sample that had ended\n"
            f"  to do: end other programs or choose a smaller network, then resume the run"
        )


def memory_ran_out(error: Exception) -> bool:
    """Whether an error says that memory could not be had, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(saying in str(error).lower() for saying in SAYINGS)


def attempt(work: Callable[[], Result], device: torch.device) -> tuple[Result | None, str]:
    """(what `work` returned, "") or, where memory ran out, (None, the complaint). The error itself is not
    handed out: its traceback would keep alive what filled the memory."""
    try:
        return work(), ""
    except Exception as error:
        if not memory_ran_out(error):
            raise
        complaint = (str(error) or type(error).__name__).splitlines()[0]
    release_cached_memory(device)
    return None, complaint


def in_halves(work: Callable[[Tensor], Result], rows: Tensor) -> list[Result]:
    """[work(rows)], or what it returns for each part of `rows` [n] where memory does not suffice for all.
    Raises OutOfMemory where it does not for one."""
    result, complaint = attempt(lambda: work(rows), rows.device)
    if result is not None:
        return [result]
    if len(rows) == 1:
        raise OutOfMemory(1, complaint)
    log.info("out of memory with %d samples in one call: %s; in halves", len(rows), complaint)
    return [part for half in rows.chunk(2) for part in in_halves(work, half)]
