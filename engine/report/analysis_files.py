"""Runs chosen analyses of a network and keeps each as soon as it is done: figures, tables, arrays."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.engine.analysis.registry import analysis_of
from dpa.engine.analysis.study import Outcome, Study, analyse
from dpa.engine.analysis.values import Table
from dpa.engine.report.renderers import to_csv
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.engine.runs.environment import versions
from dpa.engine.runs.results import AnalyzeResults, versioned
from dpa.models.devices import device_name

FORMATS = ("png", "svg")

Progress = Callable[[str, int, int], None]
"""Called with (analysis, done, in all)."""


def run_analyses(
    run: RunDirectory, study: Study, progress: Progress | None = None
) -> tuple[dict[str, Any], list[Table]]:
    """Does `study.config.analyses` in order. Returns what results.json holds, and the tables.

    Each analysis writes figures/NAME.png and .svg, tables/NAME.csv, arrays/NAME.npz and analyses/NAME.json at
    its end.
    """
    results: dict[str, Any] = {
        "network": study.config.network,
        "framework": study.label,
        "data": {"source": study.store.source, "seed": study.store.seed, "size": list(study.store.size)},
        "subjects": np.unique(study.store.subject[study.pool.rows]).tolist(),
        "pool": len(study.pool),
        "seed": study.config.seed,
        "summary": {},
        "seconds": {},
    }
    tables: list[Table] = []
    for named in study.config.analyses:
        analysis, started = analysis_of(named), time.perf_counter()
        name = analysis.name
        outcome = analyse(study, analysis, _named(progress, name))
        keep(run, name, outcome)
        results["summary"] |= outcome.plain_summary()
        results["seconds"][name] = round(time.perf_counter() - started, 2)
        tables += outcome.tables.values()
    results |= {"device": device_name(study.device), "versions": versions()}
    results = versioned(AnalyzeResults, results)
    run.write_json(RESULTS, results)
    return results, tables


def keep(run: RunDirectory, name: str, outcome: Outcome) -> None:
    """Writes what one analysis handed out."""
    for title, figure in outcome.figures.items():
        for ending in FORMATS:
            with run.writing(f"figures/{title}.{ending}") as path:
                figure.savefig(path)
    for title, rows in outcome.tables.items():
        with run.writing(f"tables/{title}.csv") as path:
            path.write_text(to_csv(rows))
    if outcome.arrays:
        with run.writing(f"arrays/{name}.npz") as path:
            save_arrays(path, outcome.arrays)
    with run.writing(f"analyses/{name}.json") as path:
        path.write_text(json.dumps(outcome.plain_summary(), indent=2) + "\n")


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An .npz file without any pickled object. TypeError for an array that would need one."""
    for name, values in arrays.items():
        if values.dtype.hasobject:
            raise TypeError(f"{name} holds Python objects")
    np.savez_compressed(path, allow_pickle=False, **dict(arrays))


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(name, done, total)

    report(0, 1)
    return report
