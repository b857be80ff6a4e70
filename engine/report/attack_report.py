"""From a finished attack run to its figures and its report.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dpa.engine.attack.run import PICTURES, SAMPLES
from dpa.engine.attack.summary import finite_mean, subject_order
from dpa.engine.report.attack_figures import ShownSample, around, error_curves, sample_grid
from dpa.engine.report.attack_page import Data, attack_markdown
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import PackedStore
from dpa.models.data.tables import from_table

Columns = Mapping[str, NDArray[Any]]

MOST_COLUMNS = 7


def write_attack_report(run: RunDirectory, results: Mapping[str, Any], store: PackedStore) -> Path:
    """Writes figures/samples.png, figures/errors.png and report.md. store: where the frames came from.
    Returns the page's path."""
    samples = run.read_shards(SAMPLES)
    chosen = shown_rows(samples)
    pictures = pictures_of(run, samples["index"][chosen].tolist())
    with run.writing("figures/samples.png") as path:
        sample_grid([_shown(samples, store, row, pictures) for row in chosen], path)
    traces = [trace[np.isfinite(trace)] for trace in samples["trace"]]
    with run.writing("figures/errors.png") as path:
        error_curves(traces, results["min_error_mm"], path)
    image_in_box = {name: finite_mean(samples[f"box_{name}"]) for name in ("ssim", "psnr_db", "mse")}
    height, width = store.size
    frames = f"{len(traces):,} frames of {width}×{height} px (source '{store.source}', seed {store.seed})"
    data = Data(frames, store.source)
    already = int((samples["success"] & (samples["iterations"] == 0)).sum())
    run.write_text("report.md", attack_markdown(results, image_in_box, data, already))
    return run.path / "report.md"


def shown_rows(samples: Columns) -> list[int]:
    """One row for each of the first MOST_COLUMNS subjects: its success with the median PSNR; where it
    has none, the sample with the median error."""
    rows = []
    for subject in sorted(set(samples["subject"].tolist()), key=subject_order)[:MOST_COLUMNS]:
        of_subject = samples["subject"] == subject
        won = of_subject & samples["success"]
        among = np.flatnonzero(won if won.any() else of_subject)
        measure = samples["psnr_db" if won.any() else "final_error_mm"][among]
        rows.append(int(among[np.argsort(measure, kind="stable")[len(among) // 2]]))
    return rows


def _shown(samples: Columns, store: PackedStore, row: int, pictures: Columns) -> ShownSample:
    number = int(samples["index"][row])
    place = pictures["index"].tolist().index(number)
    box = np.nan_to_num(samples["box"][row], nan=1.0)
    return ShownSample(
        title=f"{samples['subject'][row]}, {samples['action'][row]}",
        original=around(store.frames_u8_at([number])[0], box),
        synthesised=around(pictures["synthesised"][place], box),
        adversarial=around(pictures["adversarial"][place], box),
        pose_before=samples["initial_pose"][row],
        pose_after=samples["final_pose"][row],
        error_mm=float(samples["final_error_mm"][row]),
        psnr_db=float(samples["psnr_db"][row]),
    )


def pictures_of(run: RunDirectory, numbers: Sequence[int]) -> dict[str, NDArray[Any]]:
    """index, synthesised and adversarial frames of some samples; the others stay on the disk."""
    return from_table(pq.read_table(run.path / PICTURES, filters=[("index", "in", numbers)]))
