"""The plot of `bench sessions`: images/s against batch, one line for each session, one panel
for each network."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def plot_sessions(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the plot to `path`, in the format of its suffix."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = Figure(figsize=(1 + 6 * len(networks), 4.5), layout="constrained")
    for number, network in enumerate(networks, start=1):
        lines: dict[str, list[tuple[int, float]]] = {}
        for row in (one for one in rows if one["network"] == network):
            shift = row["mpjpe_shift_mm"]
            name = f"{row['backend']} {row['precision']}" + ("" if shift is None else f", {shift:.2g} mm")
            lines.setdefault(name, []).append((row["batch"], row["images_per_s"]))
        axes = figure.add_subplot(1, len(networks), number, title=network)
        axes.set(xlabel="batch", ylabel="images/s, compute alone")
        for name, points in lines.items():
            axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({row["batch"] for row in rows}), sorted({row["batch"] for row in rows}))
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
