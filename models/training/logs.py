"""A run's diary: `metrics.csv`, TensorBoard events where tensorboard is installed, picture grids."""

import csv
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

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
