"""What an analysis hands out: figures in numbers, tables and figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from dpa.engine.analysis.table import Table


@dataclass(frozen=True)
class Outcome:
    """summary: plain numbers for results.json. tables, figures: by the name of their file."""

    summary: Mapping[str, float]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure]

    def plain_summary(self) -> dict[str, float | None]:
        """The numbers as JSON has them: None where there is no finite one."""
        return {name: value if math.isfinite(value) else None for name, value in self.summary.items()}
