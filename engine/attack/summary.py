"""From per-sample figures to the few that `attack --json` prints and `results.json` holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.state import Status
from dpa.engine.intervals import mean_interval
from dpa.models.finite import NonFiniteOutputs

Column = NDArray[np.generic]

COLUMNS = (
    "subject",
    "sequence",
    "status",
    "success",
    "iterations",
    "initial_error_mm",
    "final_error_mm",
    "ground_truth_error_mm",
    "ssim",
    "psnr_db",
    "mse",
    "elapsed_s",
)
"""What a run's summary is made from: one number or name a sample."""

PROTOCOL = "MPJPE over 17 joints, root-relative to the hip, no alignment, in mm"
SYNTHETIC = (
    "The people are synthetic. These figures measure this network on this data; "
    "they do not reproduce the paper's Human3.6M figures."
)
OTHER_DATA = (
    "These figures measure this network on this data; they compare with the paper's only as far as "
    "frames, training and regressor are the same."
)


def data_note(source: str) -> str:
    """What must stand beside every table. source: a store's, as PackedStore.source."""
    return SYNTHETIC if source == "synthetic" else OTHER_DATA


@dataclass(frozen=True)
class RunFacts:
    """What a summary says beside the samples. backend: the step that ran, whichever `auto` picked.
    seconds: wall time of preparation, steps, judging and the writing that they waited for, without loading
    networks; of a run that was stopped, without what the stops lost. blind: the target's pose has no gradient
    by construction, so that not to move is its answer, and counts."""

    target: str
    generator: str
    config: AttackConfig
    backend: str
    seconds: float
    device: str
    versions: Mapping[str, str]
    blind: bool = False


def summarise(samples: Mapping[str, Column], facts: RunFacts) -> dict[str, object]:
    """The results of a run.

    samples: columns of equal length n ≥ 1, those of COLUMNS (see `samples.py`). Samples for which the network
    gave out no finite numbers, or no gradient at all, are counted as `nonfinite` and `no_gradient` and are
    part of no mean and no rate. Means leave out, too, what is not finite of a sound sample (an unchanged
    picture's PSNR), and are None where none is left. Success counts every sound sample: those that start
    above the threshold are no successes; `counts` tells all kinds apart. Raises NonFiniteOutputs where no
    sample is left.
    """
    n, everything = len(samples["status"]), samples
    nonfinite = samples["status"] == Status.NONFINITE
    still = (samples["status"] == Status.NO_GRADIENT) & (not facts.blind)
    if (nonfinite | still).all():
        what = NONFINITE if nonfinite.any() else NO_GRADIENT
        raise NonFiniteOutputs(what, n, n)
    samples = {name: column[~(nonfinite | still)] for name, column in samples.items()}
    iterations = samples["iterations"].astype(float)
    subjects = samples["subject"].astype(str)
    return {
        "target": facts.target,
        "generator": facts.generator,
        "n": n,
        "nonfinite": int(nonfinite.sum()),
        "no_gradient": int(still.sum()),
        "seed": facts.config.seed,
        "min_error_mm": facts.config.min_error_mm,
        "max_steps": facts.config.max_steps,
        **rate("success_rate", samples["success"].astype(bool), samples["sequence"]),
        "counts": _counts(everything["status"], facts.blind),
        "mpjpe_ground_truth_mm": finite_mean(samples["ground_truth_error_mm"]),
        "mpjpe_initial_mm": finite_mean(samples["initial_error_mm"]),
        "mpjpe_final_mm": finite_mean(samples["final_error_mm"]),
        "iterations": {
            "mean": float(iterations.mean()),
            "p50": float(np.percentile(iterations, 50)),
            "p90": float(np.percentile(iterations, 90)),
            "max": int(iterations.max()),
        },
        "per_subject": {
            str(subject): _subject({name: column[subjects == subject] for name, column in samples.items()})
            for subject in sorted(set(subjects), key=subject_order)
        },
        "image": {name: finite_mean(samples[name]) for name in ("ssim", "psnr_db", "mse")},
        "throughput": {
            "samples_per_s": n / facts.seconds,
            "sample_iterations_per_s": float(everything["iterations"].sum()) / facts.seconds,
        },
        "method": {
            "optimiser": facts.config.optimiser,
            "step_size": facts.config.step_size,
            "backend": facts.backend,
        },
        "device": facts.device,
        "versions": dict(facts.versions),
    }


NONFINITE = "the networks gave out numbers that are not finite"
NO_GRADIENT = "the target's pose has no gradient at the appearance code, so nothing was attacked,"


def require_sound(results: Mapping[str, Any]) -> None:
    """Raises NonFiniteOutputs where samples of a run are no part of its figures."""
    for key, what in (("nonfinite", NONFINITE), ("no_gradient", NO_GRADIENT)):
        if results.get(key):
            raise NonFiniteOutputs(what, results[key], results["n"])


def rate(name: str, hits: NDArray[np.bool_], clips: Column) -> dict[str, object]:
    """A share with its 95 % interval, as results hold them: NAME, NAME_low, NAME_high."""
    low, high = mean_interval(hits, clips) or (None, None)
    return {name: float(hits.mean()) if hits.size else None, f"{name}_low": low, f"{name}_high": high}


def method_in_words(method: Mapping[str, object]) -> str:
    """How the code was taken uphill. method: of the results."""
    return f"{method['optimiser']} at {method['step_size']:g}, step back-end {method['backend']}"


def _counts(status: Column, blind: bool) -> dict[str, int]:
    """How the attacks ended; without a gradient they fail where that is the network's nature (`blind`)."""
    count = {one: int((status == one).sum()) for one in Status}
    failed = count[Status.FAILED] + (count[Status.NO_GRADIENT] if blind else 0)
    return {
        "succeeded": count[Status.SUCCESS],
        "failed": failed,
        "started_above": count[Status.STARTED_ABOVE],
        "nonfinite": count[Status.NONFINITE],
        "no_gradient": 0 if blind else count[Status.NO_GRADIENT],
    }


def _subject(samples: Mapping[str, Column]) -> dict[str, object]:
    return {
        "n": len(samples["success"]),
        "initial_mm": finite_mean(samples["initial_error_mm"]),
        "final_mm": finite_mean(samples["final_error_mm"]),
        "success_rate": finite_mean(samples["success"]),
    }


def finite_mean(values: Column) -> float | None:
    """Mean of the finite entries, None without any: NaN is no JSON."""
    numbers = values.astype(float)
    finite = numbers[np.isfinite(numbers)]
    return float(finite.mean()) if len(finite) else None


def subject_order(name: str) -> tuple[int, str]:
    """S5 before S11; names without a number last."""
    digits = name[1:]
    return (int(digits), name) if digits.isdecimal() else (1_000_000, name)
