"""Sessions timed against one another: every round gives each of them a burst of calls, so that a slow
moment of the machine falls on all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dpa.bench.peak_memory import peak_mb
from dpa.engine.sessions.protocol import Session

MIN_ROUNDS = 3
BURST = 3
"""Calls of a burst that count; one more goes before, which wakes the session's threads."""
QUIET_S = 0.03
"""Wait before each burst. Idle threads of OpenMP and of ONNX Runtime spin for 4 to 15 ms and take a core
from whoever comes next."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds a call, percentiles over `calls`; peak_mb: most memory of the session's process while it
    ran, None where the system does not tell."""

    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    calls: int
    peak_mb: float | None


class Timed(Protocol):
    """What can be timed."""

    def burst(self) -> list[float]:
        """Seconds of each of BURST calls."""
        ...

    def peak_mb(self) -> float | None:
        """See Latency; two calls that do not count."""
        ...


class TimedSession:
    """A session and what it is fed with. prepare: makes the inputs anew for each call, and its time counts
    (uint8 frames to tensors, end to end)."""

    def __init__(
        self,
        session: Session,
        feeds: dict[str, Tensor],
        prepare: Callable[[], dict[str, Tensor]] | None = None,
    ) -> None:
        self._session, self._prepare = session, prepare or (lambda: feeds)

    def burst(self) -> list[float]:
        seconds = []
        for _ in range(1 + BURST):
            begin = time.perf_counter()
            self._session.run(self._prepare())
            if self._session.device.startswith("cuda"):
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
        return seconds[1:]

    def peak_mb(self) -> float | None:
        return peak_mb(lambda: [self._session.run(self._prepare()) for _ in range(2)], torch.device("cpu"))


def time_together(contenders: Sequence[Timed], duration_s: float) -> list[Latency]:
    """Latency of each contender, interleaved, for about `duration_s` each, the waits included."""
    peaks = [one.peak_mb() for one in contenders]
    seconds: list[list[float]] = [[] for _ in contenders]
    end = time.perf_counter() + duration_s * len(contenders)
    while len(seconds[0]) < MIN_ROUNDS * BURST or time.perf_counter() < end:
        for index, one in enumerate(contenders):
            time.sleep(QUIET_S)
            seconds[index] += one.burst()
    made = []
    for times, peak in zip(seconds, peaks, strict=True):
        p50, p90, p95, p99 = (1e3 * np.percentile(times, [50, 90, 95, 99])).tolist()
        made.append(Latency(p50, p90, p95, p99, len(times), peak))
    return made
