"""What an analysis hands out: figures in numbers, tables, figures, and what figures are drawn from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.table import Table


@dataclass(frozen=True)
class Outcome:
    """summary: plain numbers for results.json. tables, figures: by the name of their file. arrays: what the
    figures show, so that the report can draw several networks into one; pictures as `stored` makes them."""

    summary: Mapping[str, float]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def plain_summary(self) -> dict[str, float | None]:
        """The numbers as JSON has them: None where there is no finite one."""
        return {name: value if math.isfinite(value) else None for name, value in self.summary.items()}


def stored(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures [n, 3, h, w] in [0, 1] → uint8, rounded, as files hold them."""
    array: NDArray[np.uint8] = (pictures.detach().cpu().clamp(0, 1) * 255).round().byte().numpy()
    return array
