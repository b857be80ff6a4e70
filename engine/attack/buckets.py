"""Calls of fixed size: batched kernels round differently at different sizes, and an ascent carries that
on until two runs of one sample part. So whatever computes samples does so in calls of sizes fixed
beforehand, padded with repeated rows. On a CPU the sizes are those at which a sample's neighbours, its
place in a call and the call's size change no bit at the small preset (measured on two threads: 1 and 2
rows do, 4 and more do not; a matrix product makes no promise). On one thread float32 convolutions round
calls of 4 and 8 rows otherwise than larger ones, a gradient by 1e-5 of its length, so none is that small:
the last samples are slower, and a run that was killed ends as one that was not."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

import torch
from torch import Tensor

LARGEST_WASTE = 0.25
"""Share by which one padded call may exceed several smaller ones in rows."""

STEP_ROWS_CPU = (4, 8, 16, 32)
"""Samples in one call of a step on a CPU. Measured on two cores at the small preset, `fused`: 2.7, 2.0,
1.6 and 1.3 ms a sample; the small calls serve the last samples, which may take 200 steps."""

JUDGE_ROWS_CPU, JUDGE_ROWS_GPU = (4, 16), (32,)
"""Samples in one call of the judge, who often has one or two before him."""

FEWEST_ON_ONE_THREAD = 16
"""Rows of a call at least where PyTorch has one thread."""


def step_sizes(batch: int, device: torch.device) -> tuple[int, ...]:
    """The sizes of a step's calls for at most `batch` samples: on a CPU few and fixed ones,
    powers of two up to `batch` on a GPU, where a call costs by its launch."""
    return _on_these_threads(STEP_ROWS_CPU) if device.type == "cpu" else powers_of_two(batch)


def judge_sizes(device: torch.device) -> tuple[int, ...]:
    """The sizes of the judge's calls."""
    return _on_these_threads(JUDGE_ROWS_CPU) if device.type == "cpu" else JUDGE_ROWS_GPU


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
