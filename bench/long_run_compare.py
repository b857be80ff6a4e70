"""Two runs of the same attack, sample by sample."""

from pathlib import Path
from typing import Any

import numpy as np

from dpa.engine.attack.writer import read_samples
from dpa.engine.runs.directory import RESULTS, RunDirectory

SPEED = ("throughput",)
"""Of the results, what may differ; and of the samples:"""
TIMES = ("elapsed_s",)


def compare_runs(one: Path, other: Path) -> dict[str, Any]:
    """equal: whether results.json (but for the speed) and every column of every sample are the same.
    results_equal; samples: in the first; samples_unequal: how many differ in any column; columns_unequal;
    largest_error_difference_mm: of the final errors. Raises BadShard, NotARun."""
    runs = [RunDirectory.open(path) for path in (one, other)]
    results = [{k: v for k, v in _results(run).items() if k not in SPEED} for run in runs]
    first, second = (read_samples(run) for run in runs)
    same_samples = np.array_equal(first["index"], second["index"])
    unequal: dict[str, np.ndarray[Any, Any]] = {}
    if same_samples:
        for name in sorted(set(first) - set(TIMES)):
            differs = _unequal(first[name], second[name])
            if differs.any():
                unequal[name] = differs
    errors = [table["final_error_mm"].astype(float) for table in (first, second)]
    return {
        "equal": same_samples and not unequal and results[0] == results[1],
        "results_equal": results[0] == results[1],
        "samples": len(first["index"]),
        "samples_unequal": int(np.any([*unequal.values()], axis=0).sum()) if unequal else 0,
        "columns_unequal": list(unequal),
        "largest_error_difference_mm": (
            float(np.nanmax(np.abs(errors[0] - errors[1]), initial=0.0)) if same_samples else None
        ),
    }


def _results(run: RunDirectory) -> dict[str, Any]:
    found = run.read_json(RESULTS)
    return found if isinstance(found, dict) else {}


def _unequal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which rows differ; NaN equals NaN. [n] bool."""
    differs = one != other
    if one.dtype.kind == "f":
        differs &= ~(np.isnan(one) & np.isnan(other))
    rows: np.ndarray[Any, Any] = differs.reshape(len(one), -1).any(axis=1)
    return rows
