"""What a training does beside its steps: it logs, validates and checkpoints at its intervals."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import Outcome
from dpa.models.training.config import TrainConfig
from dpa.models.training.logs import TrainingLog
from dpa.models.training.validation import validate

VALIDATION_ROWS = 512


@dataclass(frozen=True)
class Progress:
    """What the loop tells its caller now and then."""

    step: int
    steps: int
    values: dict[str, float]


@dataclass
class Stopwatch:
    """Where the time of a training goes. In seconds, since its start and since the last log line."""

    began: float
    window_began: float
    since_step: int
    waited_before: float = 0.0

    @classmethod
    def start(cls, step: int) -> "Stopwatch":
        """Starts now, before the step after `step`."""
        now = time.perf_counter()
        return cls(now, now, step)

    def window(self, step: int, batch: int, waited: float) -> dict[str, float]:
        """Images a second and the share of time spent waiting for input since the last call. waited:
        seconds of waiting since the start."""
        now = time.perf_counter()
        spent = now - self.window_began
        values = {
            "images_per_s": (step - self.since_step) * batch / spent,
            "input_wait_share": (waited - self.waited_before) / spent,
        }
        self.window_began, self.since_step, self.waited_before = now, step, waited
        return values

    def wait_share(self, waited: float) -> float:
        """The share since the start."""
        return waited / (time.perf_counter() - self.began)


class Diary:
    """Logs, reports and validates. In a training of several processes the first one keeps it."""

    def __init__(
        self, config: TrainConfig, log: TrainingLog, report: Callable[[Progress], None], start: int
    ) -> None:
        self.config, self.log, self.report = config, log, report
        self.watch = Stopwatch.start(start)

    def due(self, interval: int, step: int) -> bool:
        """Whether something done every `interval` steps, and at the end, is done now."""
        return step % interval == 0 or step == self.config.total_steps

    def losses(self, step: int, terms: Mapping[str, Tensor], batch: int, waited: float) -> None:
        """A log line: loss terms, images a second, share of time spent waiting for input."""
        values = {name: float(value.detach()) for name, value in terms.items()}
        self._note(step, values | self.watch.window(step, batch, waited))

    def held_out(
        self, step: int, network: DisentangledNetwork, store: PackedStore, rows: NDArray[np.int64]
    ) -> None:
        """Validates on a thinned choice of the rows."""
        thinned = rows[:: max(1, len(rows) // VALIDATION_ROWS)][:VALIDATION_ROWS]
        summary = validate(network, store, thinned).summary()
        self._note(step, {f"held_out/{name}": value for name, value in summary.items()})

    def pictures(self, step: int, outcome: Outcome) -> None:
        """The grid of targets, reconstructions and masks."""
        self.log.grid(step, [outcome.target, outcome.reconstruction, outcome.mask.detach()])

    def _note(self, step: int, values: dict[str, float]) -> None:
        self.log.scalars(step, values)
        self.report(Progress(step, self.config.total_steps, values))
