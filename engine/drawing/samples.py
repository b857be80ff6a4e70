"""The attack's figures: samples in the manner of the paper's Figure 7, and errors against iterations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dpa.engine.drawing.skeleton import draw_skeleton

Picture = NDArray[np.uint8]

STYLE_FONT = {"fontsize": 9, "color": "#2d3748", "parse_math": False}
ACCENT, MUTED, LIMIT = "#2b6cb0", "#90a4bf", "#c53030"


@dataclass(frozen=True)
class ShownSample:
    """One column of the grid. Pictures: uint8 [h, w, 3] of one size; poses: [17, 3] mm."""

    title: str
    original: Picture
    synthesised: Picture
    adversarial: Picture
    pose_before: NDArray[np.float64]
    pose_after: NDArray[np.float64]
    error_mm: float
    psnr_db: float


ROWS = ("input", "reconstruction", "adversarial", "pose before", "pose after")


def sample_grid(samples: Sequence[ShownSample], path: Path) -> None:
    """Columns are samples; rows are input, reconstruction, adversarial image and the target's pose on
    the input and on the adversarial image (the former pale behind the latter). At least one sample."""
    figure = Figure(figsize=(1.62 * len(samples) + 0.5, 9.2), dpi=160, facecolor="white")
    axes = figure.subplots(
        len(ROWS),
        len(samples),
        squeeze=False,
        gridspec_kw={"hspace": 0.06, "wspace": 0.05, "left": 0.5 / (1.62 * len(samples) + 0.5)}
        | {"right": 0.995, "top": 0.955, "bottom": 0.04, "height_ratios": (1, 1, 1, 1.2, 1.2)},
    )
    for column, sample in enumerate(samples):
        pictures = (sample.original, sample.synthesised, sample.adversarial)
        for axis, picture in zip(axes[:3, column], pictures, strict=True):
            axis.imshow(picture, interpolation="lanczos")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        draw_skeleton(axes[3, column], sample.pose_before)
        draw_skeleton(axes[4, column], sample.pose_after, ghost=sample.pose_before)
        axes[0, column].set_title(sample.title, **STYLE_FONT)
        change = f"{sample.psnr_db:.1f} dB" if np.isfinite(sample.psnr_db) else "unchanged"
        caption = f"{sample.error_mm:.0f} mm, {change}"
        axes[4, column].text(
            0.5, -0.07, caption, transform=axes[4, column].transAxes, ha="center", **STYLE_FONT
        )
    for row, name in enumerate(ROWS):
        axes[row, 0].text(
            -0.08,
            0.5,
            name,
            transform=axes[row, 0].transAxes,
            rotation=90,
            va="center",
            ha="right",
            **STYLE_FONT,
        )
    figure.savefig(path)


def error_curves(traces: Sequence[NDArray[np.float32]], min_error_mm: float, path: Path) -> None:
    """Left: best error so far against the iteration, every sample thin, the median bold; a sample keeps
    its last value after it ended. Right: share of the samples above the threshold.

    traces: one [k] mm per sample, k = its evaluations ≥ 0.
    """
    kept = [trace for trace in traces if len(trace)]
    length = max((len(trace) for trace in kept), default=1)
    table = np.full((len(kept), length), np.nan)
    for row, trace in zip(table, kept, strict=True):
        row[: len(trace)], row[len(trace) :] = trace, trace[-1]
    figure = Figure(figsize=(9, 3.4), dpi=160, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    for trace in kept[:256]:
        left.plot(trace, color=MUTED, lw=0.6, alpha=max(0.25, min(1, 30 / len(kept))))
    if kept:
        left.plot(np.median(table, axis=0), color=ACCENT, lw=2, label="median")
        right.plot(100 * (table > min_error_mm).sum(axis=0) / len(traces), color=ACCENT, lw=2)
    left.axhline(min_error_mm, color=LIMIT, lw=1, ls="--", label=f"threshold, {min_error_mm:g} mm")
    left.legend(frameon=False, fontsize=8, loc="lower right")
    left.set(xlabel="iteration", ylabel="best MPJPE so far (mm)", xlim=(0, max(length - 1, 1)))
    right.set(
        xlabel="iteration",
        ylabel="samples above the threshold (%)",
        ylim=(0, 102),
        xlim=(0, max(length - 1, 1)),
    )
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#edf0f4", lw=0.8)
        axis.set_axisbelow(True)
    figure.savefig(path)
