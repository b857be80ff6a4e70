"""The one timing function of all measurements: warm-up by duration, then repeats until time is up."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Seconds a call took: mean and percentiles over `repeats` calls, after `warm_up_s` that do not count."""

    mean_s: float
    p10_s: float
    p50_s: float
    p90_s: float
    max_s: float
    repeats: int
    warm_up_s: float

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


def measure(
    work: Callable[[], object],
    *,
    duration_s: float = 3.0,
    warm_up_s: float | None = 0.5,
    least: int = 3,
    synchronise: Callable[[], object] = lambda: None,
) -> Timing:
    """Times `work` call by call for about `duration_s`, `least` calls at least.

    warm_up_s: None for no uncounted call at all, where one takes minutes. synchronise: waits for a
    device, where work only queues (torch.cuda.synchronize); called before the clock is read, each time.
    """
    end = time.perf_counter() + (warm_up_s or 0)
    while warm_up_s is not None:
        work()
        synchronise()
        if time.perf_counter() >= end:
            break
    seconds: list[float] = []
    end = time.perf_counter() + duration_s
    while len(seconds) < least or time.perf_counter() < end:
        begin = time.perf_counter()
        work()
        synchronise()
        seconds.append(time.perf_counter() - begin)
    p10, p50, p90 = np.percentile(seconds, [10, 50, 90]).tolist()
    return Timing(float(np.mean(seconds)), p10, p50, p90, max(seconds), len(seconds), warm_up_s or 0)
