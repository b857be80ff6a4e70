"""Figure 7 and what the paper has not: errors against iterations, joints, error against change."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dpa.engine.drawing.grid import Shown, around, show
from dpa.engine.drawing.skeleton import draw_skeleton
from dpa.engine.drawing.style import INK, MUTED, PALETTE, TEXT, blank_figure, legend_above, plain
from dpa.models.data.contract import JOINT_NAMES

HEADS = (
    "(a) input",
    "(b) synthesised",
    "(c) attacked",
    "(d) true pose",
    "(e) pose on (a)",
    "(f) pose on (c)",
)
SAMPLES_SHOWN = 3


def limit_of(networks: Sequence[Shown]) -> float:
    """The error in mm above which an attack succeeds, the same for all."""
    return networks[0].summary["min_error_mm"] or 0.0


def examples_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Figure 7: a row for each sample, blocks of rows for each network; columns (a) to (f) as the paper has
    them. Without images the three poses."""
    heads = HEADS if images else HEADS[3:]
    rows = [
        (one, sample) for one in networks for sample in range(min(SAMPLES_SHOWN, len(one.arrays["original"])))
    ]
    figure = blank_figure(1.0 + 1.5 * len(heads), 0.3 + 1.5 * len(rows), gap=0.02)
    axes = figure.subplots(len(rows), len(heads), squeeze=False)
    for axis, head in zip(axes[0], heads, strict=True):
        axis.set_title(head, pad=4, **TEXT)
    for line, (network, sample) in zip(axes, rows, strict=True):
        _example(line, network, sample, images)
        if sample == 0:
            line[0].text(
                -0.08, 0.5, network.title, transform=line[0].transAxes, rotation=90, ha="right", va="center",
                weight="bold", **TEXT,
            )  # fmt: skip
    return figure


def _example(line: NDArray[Any], network: Shown, sample: int, images: bool) -> None:
    found = network.arrays
    if images:
        frames = (found["original"][sample], found["frames"][sample, 0], found["frames"][sample, -1])
        box = np.nan_to_num(found["box"][sample], nan=1.0)
        for axis, frame in zip(line, frames, strict=False):
            show(axis, np.moveaxis(around(frame, box), -1, 0))
    before = found["before"][sample]
    draw_skeleton(line[-3], found["truth"][sample])
    draw_skeleton(line[-2], before)
    draw_skeleton(line[-1], found["poses"][sample, -1], ghost=before)
    line[-1].text(
        0.5, 0.0, f"{found['errors'][sample, -1]:.0f} mm", transform=line[-1].transAxes, ha="center", **TEXT
    )


def progress_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Median of the best error so far with its middle half, and the share above the threshold, against the
    iteration; a sample keeps its last value after it ended."""
    figure = blank_figure(9.5, 3.3)
    left, right = figure.subplots(1, 2)
    limit = limit_of(networks)
    longest = 1
    for colour, one in zip(PALETTE, networks, strict=False):
        table = filled_traces(one.arrays["trace"])
        longest = max(longest, int(one.arrays["iterations"].max()))
        low, middle, high = np.percentile(table, (25, 50, 75), axis=0)
        left.fill_between(range(len(middle)), low, high, color=colour, alpha=0.15, lw=0)
        left.plot(middle, color=colour, lw=2, label=one.title)
        right.plot(100 * (table > limit).mean(axis=0), color=colour, lw=2, label=one.title)
    left.axhline(limit, color=INK, lw=1, ls="--")
    left.annotate(
        f"threshold, {limit:g} mm",
        (longest, limit),
        xytext=(-3, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
        color=INK,
    )
    left.set(ylabel="best MPJPE so far (mm)", ylim=(0, None))
    right.set(ylabel="attacks above the threshold (%)", ylim=(0, 103))
    legend_above(figure, right)
    for axis in (left, right):
        axis.set(xlabel="iteration", xlim=(0, longest))
        plain(axis)
    return figure


def filled_traces(traces: NDArray[Any]) -> NDArray[np.float64]:
    """[n, k] mm with NaN after each sample's end → its last value there; samples without any value are left
    out. Where none has one, a single row of zeros."""
    table = np.asarray(traces, dtype=np.float64)
    table = table[np.isfinite(table[:, 0])]
    if not len(table):
        return np.zeros((1, traces.shape[1]))
    last = np.maximum.accumulate(np.where(np.isfinite(table), np.arange(table.shape[1]), 0), axis=1)
    filled: NDArray[np.float64] = np.take_along_axis(table, last, axis=1)
    return filled


def joints_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """How far each joint moves between the pose on the input and the pose on the attacked frame, mean over
    the samples."""
    figure = blank_figure(9.5, 3.4)
    axis = figure.subplots()
    count = len(networks)
    places = np.arange(len(JOINT_NAMES))
    for number, (colour, one) in enumerate(zip(PALETTE, networks, strict=False)):
        moved = joint_shifts(one.arrays)
        offset = (number - (count - 1) / 2) * 0.8 / count
        axis.bar(places + offset, moved, width=0.8 / count, color=colour, label=one.title)
    axis.set_xticks(places, [name.replace("_", " ") for name in JOINT_NAMES], rotation=35, ha="right")
    axis.set_ylabel("moved by the attack (mm)")
    legend_above(figure, axis)
    plain(axis).grid(axis="x", visible=False)
    return figure


def joint_shifts(samples: Any) -> NDArray[np.float64]:
    """Mean distance in mm of each joint before and after the attack, over finite samples. [J]."""
    apart = np.linalg.norm(samples["final_pose"] - samples["initial_pose"], axis=-1).astype(np.float64)
    shifts: NDArray[np.float64] = np.nanmean(np.where(np.isfinite(apart), apart, np.nan), axis=0)
    return shifts


def change_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """Error after the attack against how much the picture changed, a point for each sample."""
    figure = blank_figure(9.5, 3.4)
    left, right = figure.subplots(1, 2, sharey=True)
    limit = limit_of(networks)
    for colour, one in zip(PALETTE, networks, strict=False):
        found = one.arrays
        change = np.linalg.norm(found["h_a"] - found["h_a0"], axis=1)
        for axis, values in ((left, found["psnr_db"]), (right, change)):
            _points(axis, values, found["final_error_mm"], colour, one.title)
    for axis, label in (
        (left, "PSNR of the attacked against the synthesised frame (dB)"),
        (right, "length of the change of the appearance code"),
    ):
        axis.axhline(limit, color=INK, lw=1, ls="--")
        axis.set_xlabel(label)
        plain(axis)
    left.set_ylabel("MPJPE after the attack (mm)")
    legend_above(figure, right)
    return figure


def _points(axis: Axes, x: NDArray[Any], y: NDArray[Any], colour: str, label: str) -> None:
    known = np.isfinite(x) & np.isfinite(y)
    axis.scatter(x[known], y[known], s=14, color=colour, alpha=0.65, lw=0, label=label)


def shifts_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """What moves the pose, and how far: other clothes in truth, another's appearance code, the attack."""
    kinds = {
        "counterfactual_pose_shift_mm": "other clothes, rendered",
        "swap_pose_shift_mm": "another's appearance code",
        "initial_mm": "reconstruction alone",
        "final_mm": "the attack",
    }
    figure = blank_figure(9.5, 3.2)
    axis = figure.subplots()
    count = len(kinds)
    places = np.arange(len(networks))
    for number, (colour, (key, label)) in enumerate(zip(PALETTE, kinds.items(), strict=False)):
        values = [one.summary.get(key) for one in networks]
        offset = (number - (count - 1) / 2) * 0.8 / count
        bars = axis.bar(
            places + offset, [value or 0 for value in values], width=0.76 / count, color=colour, label=label
        )
        axis.bar_label(bars, fmt="%.0f", fontsize=8, color=INK)
    axis.set_xticks(places, [one.title for one in networks])
    axis.set_ylabel("pose moved (mm)")
    axis.legend(frameon=False, fontsize=8, labelcolor=INK, ncols=2)
    axis.margins(y=0.3)
    axis.spines["bottom"].set_color(MUTED)
    plain(axis).grid(axis="x", visible=False)
    return figure
