"""A session in a process of its own: thread pools of several runtimes in one process take the cores from
one another (measured on two cores: ONNX Runtime at 0.9 times eager torch beside it, 1.5 times apart), and
the memory of a process is that of one session alone."""

import multiprocessing
import pickle
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.bench.session_timing import TimedSession
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.protocol import Session, TorchSession
from dpa.export.graphs import build_graph
from dpa.models.errors import DpaError, InputError
from dpa.models.frameworks.base import DisentangledNetwork

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
