"""CUDA graphs: the hundreds of launches of a step recorded once a call size, and replayed as one.

What is recorded is the plain step itself. A recording is believed only after its first replay gave what the
plain step gives: one made on the wrong stream is empty, and would hand out the gradients of its warm-up for
ever.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from dpa.engine.attack.calls import memory_ran_out
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.eager import Step, StepBackend, StepResult
from dpa.models.devices import current

WARM_UPS = 3
"""Plain calls before the recording: libraries choose their algorithms and load their kernels in them."""

ERROR_MM, GRADIENT = 0.5, 0.02
"""Most by which a replay may differ from the plain step, in mm and as a share of the gradient's length, in
the median of the samples: a replay may take other algorithms, and a ReLU's kink makes some sample jump."""

log = logging.getLogger(__name__)


class Recorded(Protocol):
    """What was recorded."""

    def replay(self) -> None:
        """Does it again: reads the same memory and writes into the same memory."""
        ...


Recorder = Callable[[Callable[[], StepResult], torch.device], tuple[StepResult, Recorded]]
"""From work on a device to what it returned, in memory that every replay fills anew, and the recording."""


class RecorderOnGpu:
    """Makes a torch.cuda.CUDAGraph of some work, after warm-ups on a stream of their own, as PyTorch asks
    for. All graphs share one pool of memory: they replay one after another, and each result is copied
    before the next replay."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, work: Callable[[], StepResult], device: torch.device) -> tuple[StepResult, Recorded]:
        with current(device):  # streams are the current device's, which need not be the tensors'
            beside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(beside):
                for _ in range(WARM_UPS):
                    work()
            torch.cuda.current_stream(device).wait_stream(beside)
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            # thread_local: the threads that read frames and write shards do not spoil the recording
            with torch.cuda.graph(graph, pool=self._pool, stream=beside, capture_error_mode="thread_local"):
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
        with current(h_a.device):
            self.graph.replay()
        return StepResult(self.made.error.clone(), self.made.gradient.clone())


class NotTheStep(Exception):
    """A replay gave something else than the step."""

    def __init__(self, error_mm: float, gradient: float) -> None:
        super().__init__(
            f"a replay is off by {error_mm:.3g} mm and {100 * gradient:.3g} % of the gradient in the median"
        )


def graphed(backend: StepBackend, record: Recorder | None = None) -> StepBackend:
    """The back-end with its calls recorded, one recording a size. Where one fails or differs, one line says
    so and the step runs as it is. The step must hold on to its plates: they may change in place, not move."""
    return replace(backend, step=_GraphedStep(backend.name, backend.step, record or RecorderOnGpu()))


class _GraphedStep:
    def __init__(self, name: str, step: Step, record: Recorder) -> None:
        self._name, self._step, self._record = name, step, record
        self._recordings: dict[int, Recording] = {}
        self._gave_up = False

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """Raises what says that memory ran out."""
        if len(h_a) not in self._recordings and not self._gave_up:
            self._try_to_record(h_a, scene)
        return self._recordings.get(len(h_a), self._step)(h_a, scene)

    def _try_to_record(self, h_a: Tensor, scene: Scene) -> None:
        own_h_a, own_scene = h_a.clone(), scene.take(torch.arange(len(h_a), device=h_a.device))
        try:
            made, graph = self._record(lambda: self._step(own_h_a, own_scene), h_a.device)
            recording = Recording(own_h_a, own_scene, made, graph)
            self._compare(recording, h_a, scene)
        except Exception as error:  # the driver's own types
            if memory_ran_out(error):
                raise
            self._gave_up = True
            reason = (str(error) or type(error).__name__).splitlines()[0]
            log.warning("step: %s without a CUDA graph: %s", self._name, reason)
        else:
            self._recordings[len(h_a)] = recording

    def _compare(self, recording: Recording, h_a: Tensor, scene: Scene) -> None:
        """At other codes than it was recorded with, which an empty recording knows nothing of."""
        elsewhere = h_a + 0.1 * h_a.abs().mean()
        found, expected = recording(elsewhere, scene), self._step(elsewhere, scene)
        error = float((found.error - expected.error).abs().median())
        length = expected.gradient.norm(dim=1).clamp_min(1e-12)
        gradient = float(((found.gradient - expected.gradient).norm(dim=1) / length).median())
        if not (error <= ERROR_MM and gradient <= GRADIENT):
            raise NotTheStep(error, gradient)
