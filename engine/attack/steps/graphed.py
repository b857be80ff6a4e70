"""CUDA graphs: the hundreds of launches of a step recorded once a call size, and replayed as one.

Never run on a GPU so far. What is recorded is the plain step itself; the buffers around it are tested on a
CPU with a stand-in for the recorder, and a test on a GPU waits for one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor

from dpa.engine.attack.calls import memory_ran_out
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.eager import StepBackend, StepResult

WARM_UPS = 3
"""Plain calls before the recording: libraries choose their algorithms and load their kernels in them."""

log = logging.getLogger(__name__)


class Recorded(Protocol):
    """What was recorded."""

    def replay(self) -> None:
        """Does it again: reads the same memory and writes into the same memory."""
        ...


Recorder = Callable[[Callable[[], StepResult]], tuple[StepResult, Recorded]]
"""From work to what it returned, in memory that every replay fills anew, and the recording."""


def record_on_gpu(work: Callable[[], StepResult]) -> tuple[StepResult, Recorded]:
    """A torch.cuda.CUDAGraph of `work`, after warm-ups on a stream of their own, as PyTorch asks for."""
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    # thread_local: the threads that read frames and write shards do not spoil the recording
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        made = work()
    return made, graph


@dataclass(frozen=True)
class Recording:
    """A step at one call size. h_a, scene: what it reads; made: what it writes; all in place."""

    h_a: Tensor
    scene: Scene
    made: StepResult
    graph: Recorded

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """As the step itself; the result is a copy that the next call leaves alone."""
        self.h_a.copy_(h_a)
        for field in fields(scene):
            getattr(self.scene, field.name).copy_(getattr(scene, field.name))
        self.graph.replay()
        return StepResult(self.made.error.clone(), self.made.gradient.clone())


class GraphedStep:
    """A step whose calls are recorded, one recording a size. Where one fails, one line says so and the
    step runs as it is. The step must hold on to its plates: they may change in place, not move."""

    def __init__(self, step: StepBackend, record: Recorder = record_on_gpu) -> None:
        self.step, self.record = step, record
        self._recordings: dict[int, Recording] = {}
        self._gave_up = False

    @property
    def name(self) -> str:
        """The step's."""
        return self.step.name

    @property
    def sizes(self) -> tuple[int, ...]:
        """The step's."""
        return self.step.sizes

    def prefix(self, pose_code: Tensor) -> Tensor:
        """The step's."""
        return self.step.prefix(pose_code)

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """h_a [B, A] → error and gradient. Raises what says that memory ran out."""
        if len(h_a) not in self._recordings and not self._gave_up:
            self._try_to_record(h_a, scene)
        return self._recordings.get(len(h_a), self.step)(h_a, scene)

    def _try_to_record(self, h_a: Tensor, scene: Scene) -> None:
        own_h_a, own_scene = h_a.clone(), scene.take(torch.arange(len(h_a), device=h_a.device))
        try:
            made, graph = self.record(lambda: self.step(own_h_a, own_scene))
        except Exception as error:  # the driver's own types
            if memory_ran_out(error):
                raise
            self._gave_up = True
            reason = (str(error) or type(error).__name__).splitlines()[0]
            log.warning("step: %s without a CUDA graph, which cannot be recorded: %s", self.name, reason)
        else:
            self._recordings[len(h_a)] = Recording(own_h_a, own_scene, made, graph)
