"""The pictures of `bench step`: throughput against batch, and a roofline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def plot_steps(
    rows: Sequence[Mapping[str, Any]], ceilings: Mapping[str, float], gb_per_s: float, path: Path
) -> None:
    """Writes both side by side to `path`, in the format of its suffix. ceilings: GFLOP/s of a matrix
    product by precision; gb_per_s: of a copy."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        line = left.plot(
            [row["batch"] for row in mine], [row["samples_per_s"] for row in mine], marker="o", label=name
        )[0]
        placed = [row for row in mine if row["flop_per_byte"]]
        right.scatter(
            [row["flop_per_byte"] for row in placed],
            [row["achieved_gflops"] for row in placed],
            color=line.get_color(),
            label=name if placed else f"{name} (bytes unknown)",
        )
    left.set(xlabel="batch", ylabel="samples/s of one step", ylim=(0, None))
    left.set_xscale("log", base=2)
    intensity = np.geomspace(1, 1000, 200)
    for precision, peak in ceilings.items():
        right.plot(intensity, np.minimum(peak, gb_per_s * intensity), label=f"matrix product, {precision}")
    right.set(xscale="log", yscale="log", xlabel="FLOP per byte moved", ylabel="GFLOP/s")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
