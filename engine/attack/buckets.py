"""Fixed batch sizes: a step back-end runs only sizes that it has prepared (a CUDA graph, a plan, a
convolution primitive), so a shrinking batch is cut and padded to them."""

from bisect import bisect_left

LARGEST_WASTE = 0.25
"""Share of padded rows up to which one larger call beats two smaller ones."""


def bucket_sizes(largest: int) -> tuple[int, ...]:
    """Powers of two below `largest`, and `largest` itself, ascending. largest ≥ 1."""
    sizes = [1]
    while 2 * sizes[-1] < largest:
        sizes.append(2 * sizes[-1])
    return tuple(sizes) if sizes[-1] == largest else (*sizes, largest)


def cut(count: int, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """How `count` rows are run: (rows taken, size of the call) per call, in order.

    Takes the largest size that fits, or pads up to the next one where that wastes at most a quarter.
    """
    calls = []
    while count:
        above = bisect_left(sizes, count)
        if above < len(sizes) and sizes[above] - count <= LARGEST_WASTE * sizes[above]:
            calls.append((count, sizes[above]))
            break
        size = sizes[min(above, len(sizes)) - 1] if above else sizes[0]
        calls.append((min(count, size), size))
        count -= calls[-1][0]
    return calls
