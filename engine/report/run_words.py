"""How the report words what several attack runs have in common."""

from collections.abc import Sequence

from dpa.engine.attack.summary import method_in_words
from dpa.engine.report.attack_runs import AttackRun
from dpa.engine.report.markdown import figure_text

Runs = Sequence[AttackRun]
Pair = tuple[float | None, float | None]
"""Mean error in mm before and after the attack."""

DASH = "–"
PROTOCOL = "MPJPE in mm over 17 joints, root-relative to the hip, no alignment, before → after the attack"
IMAGE_TITLES = {"ssim": ("SSIM ↑", 3), "psnr_db": ("PSNR ↑ (dB)", 2), "mse": ("MSE ↓", 4)}
"""Heading and digits of each measure of image similarity."""


def runs_note(runs: Runs) -> str:
    """Whose figures are on which data, and the limits of the attacks."""
    limits = {
        (run.results["min_error_mm"], run.results["max_steps"], run.results["n"], _method(run))
        for run in runs
    }
    told = [
        f"{n} frames, above {error:g} mm, {steps} updates at most{method}"
        for error, steps, n, method in sorted(limits)
    ]
    return " ".join([f"Paper: Human3.6M. Ours: {'; '.join(told)}.", *dict.fromkeys(run.note for run in runs)])


def _method(run: AttackRun) -> str:
    """Optimiser and step of a run, for the middle of a sentence; "" for one of before they were told."""
    method = run.results.get("method")
    return f" of {method_in_words(method)}" if method else ""


def percent(share: float | None) -> str:
    """0.984 → "98.4 %"."""
    return "–" if share is None else f"{100 * share:.1f} %"


def arrow(pair: Pair | None) -> str:
    """(21.0, 179.7) → "21.0 → 179.7"."""
    return DASH if pair is None else f"{figure_text(pair[0])} → {figure_text(pair[1])}"
