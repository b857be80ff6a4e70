"""What a training writes down beside its steps: `metrics.csv`, TensorBoard events where tensorboard is
installed, picture grids, and held-out figures, each at its interval."""

import csv
import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import Outcome
from dpa.models.training.config import TrainConfig
from dpa.models.training.validation import validate

GRID_COLUMNS = 12


class TrainingLog:
    """Appends rows; a resumed run goes on in the same files, less the rows after its checkpoint."""

    def __init__(self, run: Path, start: int) -> None:
        self.path = run / "metrics.csv"
        self.grids = run / "grids"
        self.grids.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._drop_after(start)
        self._board: Any = None
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(run / "tensorboard"), purge_step=start)

    def _drop_after(self, step: int) -> None:
        with self.path.open() as file:
            rows = [row for row in csv.reader(file) if not row[0].isdigit() or int(row[0]) <= step]
        with self.path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """One line a name and step, so that new measures need no new columns."""
        fresh = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "name", "value"])
            writer.writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def grid(self, step: int, rows: list[Tensor]) -> None:
        """Each row is [B, 3 or 1, s, s] in [0, 1]; the first columns go to grids/step-NNNNNNNN.png."""
        lines = []
        for images in rows:
            shown = images[:GRID_COLUMNS].float().clamp(0, 1).expand(-1, 3, -1, -1)
            lines.append(np.concatenate(list(shown.permute(0, 2, 3, 1).cpu().numpy()), axis=1))
        pixels = (np.concatenate(lines, axis=0) * 255 + 0.5).astype(np.uint8)
        Image.fromarray(pixels).save(self.grids / f"step-{step:08d}.png")

    def close(self) -> None:
        """Flushes the event file."""
        if self._board is not None:
            self._board.close()


VALIDATION_ROWS = 512


@dataclass(frozen=True)
class Progress:
    """What the loop tells its caller now and then: how far it is in its plan of so many steps."""

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


class Record:
    """Logs, reports and validates. In a training of several processes the first one keeps it."""

    def __init__(
        self, config: TrainConfig, log: TrainingLog, report: Callable[[Progress], None], start: int
    ) -> None:
        self.config, self.log, self.report = config, log, report
        self.watch = Stopwatch.start(start)

    def losses(self, step: int, place: int, terms: Mapping[str, Tensor], batch: int, waited: float) -> None:
        """A log line: loss terms, images a second, share of time spent waiting for input. place: of the plan,
        for the report."""
        shown = torch.stack([value.detach().float() for value in terms.values()]).tolist()
        values = dict(zip(terms, shown, strict=True))
        self._note(step, place, values | self.watch.window(step, batch, waited))

    def held_out(
        self, step: int, place: int, network: DisentangledNetwork, store: PackedStore, rows: NDArray[np.int64]
    ) -> None:
        """Validates on a thinned choice of the rows."""
        thinned = rows[:: max(1, len(rows) // VALIDATION_ROWS)][:VALIDATION_ROWS]
        measured = validate(network, store, thinned)
        values = {"nonfinite": float(measured.nonfinite)} if measured.nonfinite else {}
        if measured.nonfinite < len(thinned):
            values |= measured.summary()
        self._note(step, place, {f"held_out/{name}": value for name, value in values.items()})

    def pictures(self, step: int, outcome: Outcome) -> None:
        """The grid of targets, reconstructions and masks."""
        self.log.grid(step, [outcome.target, outcome.reconstruction, outcome.mask.detach()])

    def _note(self, step: int, place: int, values: dict[str, float]) -> None:
        self.log.scalars(step, values)
        self.report(Progress(place, self.config.total_steps, values))
