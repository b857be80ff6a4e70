"""The one timing function of all measurements, warm-up by duration, then repeats until time is up; peak
memory; and on what kind of day a figure was measured."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch


def circumstances() -> dict[str, object]:
    """date: of the measurement. load_average: processes that wanted a processor in the last minute; one
    that is well above 0 before the measurement means a disturbed machine. None where it is not told."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"date": date.today().isoformat(), "load_average": load}


CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def peak_mb(work: Callable[[], object], device: torch.device) -> float | None:
    """MB: on a GPU what PyTorch has allocated at most, on a CPU the process's most resident memory, with
    weights and libraries. None where the system does not tell."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        CLEAR.write_text("5")  # Linux: the high-water mark starts again from here
        work()
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), None)


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
