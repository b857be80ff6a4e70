"""The plot of `bench sessions`: images/s against batch, one line for each session."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def plot_sessions(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the plot to `path`, in the format of its suffix."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        name = f"{row['backend']} {row['precision']}, {row['mpjpe_shift_mm']:.2g} mm"
        lines.setdefault(name, []).append((row["batch"], row["images_per_s"]))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="batch", ylabel="images/s, compute alone")
    for name, points in lines.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
    axes.set_xscale("log", base=2)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
