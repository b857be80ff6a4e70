"""A batch of any size over a back-end that runs a few fixed sizes: cut into pieces, the last one padded."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Padded = Callable[[int, dict[str, Tensor]], dict[str, Tensor]]
"""(bucket, inputs [n, …] with n ≤ bucket) → outputs [n, …]."""


def pieces(count: int, buckets: Sequence[int]) -> list[tuple[int, int, int]]:
    """(start, stop, bucket) of each piece of a batch: pieces of the largest bucket, then the smallest one
    that takes the rest."""
    largest = max(buckets)
    made = []
    for start in range(0, count, largest):
        stop = min(start + largest, count)
        made.append((start, stop, min(size for size in buckets if size >= stop - start)))
    return made


def run_in_buckets(feeds: Mapping[str, Tensor], buckets: Sequence[int], run: Padded) -> dict[str, Tensor]:
    """Run a batch piece by piece. feeds: [B, …] each, the same B ≥ 1."""
    count = next(iter(feeds.values())).shape[0]
    made = [
        run(bucket, {name: value[start:stop] for name, value in feeds.items()})
        for start, stop, bucket in pieces(count, buckets)
    ]
    return {name: torch.cat([part[name] for part in made]) if made[1:] else made[0][name] for name in made[0]}
