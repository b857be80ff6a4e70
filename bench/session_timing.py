"""Sessions timed against one another: every round calls each of them once, so that a slow moment of the
machine falls on all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dpa.engine.sessions.protocol import Session

MIN_ROUNDS = 5


@dataclass(frozen=True)
class Contender:
    """A session to be timed. shift_mm: its mean distance to fp32 torch, 0 for that itself."""

    session: Session
    precision: str
    shift_mm: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds a call, percentiles over `rounds` calls; peak_mb: most memory of the process while
    this session alone ran, None where the system does not tell."""

    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    rounds: int
    peak_mb: float | None


def time_together(
    contenders: Sequence[Contender],
    feeds: dict[str, Tensor],
    duration_s: float,
    prepare: Callable[[], dict[str, Tensor]] | None = None,
) -> list[Latency]:
    """Latency of each contender on the same inputs, interleaved, for about `duration_s` each.

    prepare: makes the inputs anew, and its time counts (uint8 frames to tensors, end to end). Two calls
    of each go before and do not count.
    """
    peaks = [_peak_mb(one.session, feeds) for one in contenders]
    seconds: list[list[float]] = [[] for _ in contenders]
    end = time.perf_counter() + duration_s * len(contenders)
    while len(seconds[0]) < MIN_ROUNDS or time.perf_counter() < end:
        for index, one in enumerate(contenders):
            begin = time.perf_counter()
            one.session.run(feeds if prepare is None else prepare())
            if one.session.device.startswith("cuda"):
                torch.cuda.synchronize()
            seconds[index].append(time.perf_counter() - begin)
    made = []
    for times, peak in zip(seconds, peaks, strict=True):
        p50, p90, p95, p99 = (1e3 * np.percentile(times, [50, 90, 95, 99])).tolist()
        made.append(Latency(p50, p90, p95, p99, len(times), peak))
    return made


def _peak_mb(session: Session, feeds: dict[str, Tensor]) -> float | None:
    """The process's most resident memory during two calls, MB; Linux's high-water mark is reset first."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        told = True
    except OSError:
        told = False
    for _ in range(2):
        session.run(feeds)
    if not told:
        return None
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1e3
