"""Time on a device: by its own events where it has them, by the host's clock on the stand-in."""

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

from dpa.models.devices import records_graphs, wait

WARM_UPS = 3


def milliseconds(work: Callable[[], object], device: torch.device, duration_s: float = 0.5) -> float:
    """Median of the calls that fit into `duration_s`, 5 at least, launched one by one; gaps between launches,
    which the host leaves, belong to a call's time."""
    for _ in range(WARM_UPS):
        work()
    wait(device)
    begin = time.perf_counter()
    work()
    wait(device)
    calls = max(5, min(2000, int(duration_s / max(time.perf_counter() - begin, 1e-6))))
    if not records_graphs(device):
        return 1e3 * statistics.median(_on_the_host(work, device) for _ in range(calls))
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(calls + 1)]  # type: ignore[no-untyped-call]
    marks[0].record()
    for mark in marks[1:]:
        work()
        mark.record()
    wait(device)
    times: list[float] = [first.elapsed_time(second) for first, second in pairwise(marks)]
    return statistics.median(times)


def replayed_milliseconds(
    works: Sequence[Callable[[], object]], device: torch.device, rounds: int = 10, repeats: int = 5
) -> float:
    """Of one call: `works`, which differ in their memory, in turns, as one CUDA graph, so that no launch
    waits for the host. On the stand-in they are called plainly."""
    if not records_graphs(device):
        return milliseconds(works[0], device, 0.05)
    with torch.cuda.device(device):
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for work in works:
                work()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(rounds):
                for work in works:
                    work()
        times: list[float] = []
        for _ in range(repeats + 1):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            begin.record()
            graph.replay()
            end.record()
            wait(device)
            times.append(begin.elapsed_time(end))
    return statistics.median(times[1:]) / (rounds * len(works))


def _on_the_host(work: Callable[[], object], device: torch.device) -> float:
    begin = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - begin
