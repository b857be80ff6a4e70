"""Sessions timed against one another, each in a process of its own: thread pools of several runtimes in one
process take the cores from one another (measured on two cores: ONNX Runtime at 0.9 times eager torch beside
it, 1.5 times apart), and the memory of a process is that of one session alone. Every round gives each of them
a burst of calls, so that a slow moment of the machine falls on all alike."""

import multiprocessing
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.bench.timing import peak_mb
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.protocol import Session, TorchSession
from dpa.export.graphs import build_graph
from dpa.models.errors import DpaError, InputError
from dpa.models.frameworks.base import DisentangledNetwork

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


Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Opening:
    """How a process opens its session: an engine of a folder, or the network itself in eager torch."""

    source: Path | DisentangledNetwork
    graph: str
    backend: str
    precision: str
    threads: int
    device: str

    def open(self) -> Session:
        """Raises what EngineFolder.session raises."""
        torch.set_num_threads(self.threads)
        if isinstance(self.source, DisentangledNetwork):
            own = build_graph(self.source.to(self.device), self.graph)
            return TorchSession(own.module, own.inputs, own.outputs)
        return EngineFolder(self.source).session(
            self.graph,
            precision=self.precision,
            backend=self.backend,
            threads=self.threads,
            device=self.device,
        )


class Apart:
    """The session of an opening, in a child that ends with the `with` block. What goes wrong there is
    raised here as a DpaError with its words; InputError for a network that cannot be handed over."""

    def __init__(self, opening: Opening) -> None:
        try:
            packed = pickle.dumps(opening)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"a network that cannot be pickled: {error}",
                "one that can be handed to a process of its own",
                "define its classes at the top of an importable module",
            ) from error
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._child = context.Process(target=_serve, args=(theirs, packed), daemon=True)
        self._child.start()
        theirs.close()
        self._answer()

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()  # the child reads the end of its pipe and goes
        self._child.join(timeout=10)
        if self._child.is_alive():
            self._child.terminate()

    def feed(self, feeds: Arrays, stored: NDArray[np.uint8] | None = None) -> None:
        """What is run from now on: feeds by name, or uint8 frames [B, H, W, 3] that each call converts."""
        self._pipe.send((feeds, stored))
        self._answer()

    def burst(self) -> list[float]:
        """See Timed."""
        self._pipe.send("burst")
        seconds: list[float] = self._answer()
        return seconds

    def peak_mb(self) -> float | None:
        """See Timed."""
        self._pipe.send("peak_mb")
        peak: float | None = self._answer()
        return peak

    def _answer(self) -> Any:
        try:
            error, value = self._pipe.recv()
        except EOFError:
            raise DpaError("a session's process died") from None
        if error is not None:
            raise DpaError(error)
        return value


def _serve(pipe: "Connection[Any, Any]", packed: bytes) -> None:
    """The child: (error, None) or (None, value) for every request, until the pipe is closed."""
    try:
        opening: Opening = pickle.loads(packed)
        session = opening.open()
        pipe.send((None, None))
        timed, answer = TimedSession(session, {}), None
        while True:
            asked = pipe.recv()
            if isinstance(asked, str):
                answer = getattr(timed, asked)()
            else:
                timed, answer = _timed(session, opening.device, *asked), None
            pipe.send((None, answer))
    except EOFError:
        return
    except Exception as error:
        pipe.send((str(error) or type(error).__name__, None))


def _timed(session: Session, device: str, feeds: Arrays, stored: NDArray[np.uint8] | None) -> TimedSession:
    tensors = {name: torch.from_numpy(value).to(device) for name, value in feeds.items()}
    if stored is None:
        return TimedSession(session, tensors)
    frames = torch.from_numpy(stored)

    def prepare() -> dict[str, Tensor]:
        ready = frames.to(device).permute(0, 3, 1, 2).to(torch.float32)
        return {"frames": ready.contiguous().div_(255)}

    return TimedSession(session, tensors, prepare)
