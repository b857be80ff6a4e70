"""From a finished attack run to its figures and its report.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dpa.engine.attack.run import evenly
from dpa.engine.attack.summary import COLUMNS, finite_mean, subject_order
from dpa.engine.attack.writer import PICTURES, SAMPLES, read_samples
from dpa.engine.report.attack_figures import ShownSample, around, error_curves, sample_grid
from dpa.engine.report.attack_page import Data, attack_markdown
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import PackedStore
from dpa.models.data.tables import from_table

Columns = Mapping[str, NDArray[Any]]

MOST_COLUMNS = 7
MOST_CURVES = 4096

MEASURES = ("ssim", "psnr_db", "mse")
DETAILS = ("index", "box", "initial_pose", "final_pose")
"""What is read of the shown samples alone: the table of all would fill the memory of a long run."""


def write_attack_report(run: RunDirectory, results: Mapping[str, Any], store: PackedStore) -> Path:
    """Writes figures/samples.png, figures/errors.png and report.md. store: where the frames came from.
    Returns the page's path."""
    samples = read_samples(run, [*COLUMNS, "action", *(f"box_{name}" for name in MEASURES)])
    pictured = np.isin(samples["index"], run.read_shards(PICTURES, ["index"])["index"])
    among = {name: column[pictured] for name, column in samples.items()}
    chosen = shown_rows(among)
    numbers = among["index"][chosen].tolist()
    pictures, details = rows_of(run, PICTURES, numbers), rows_of(run, SAMPLES, numbers, DETAILS)
    with run.writing("figures/samples.png") as path:
        sample_grid([_shown(among, store, row, pictures, details) for row in chosen], path)
    traces = traces_of(run, evenly(samples["index"], MOST_CURVES))
    with run.writing("figures/errors.png") as path:
        error_curves(traces, results["min_error_mm"], path)
    image_in_box = {name: finite_mean(samples[f"box_{name}"]) for name in MEASURES}
    height, width = store.size
    count = len(samples["index"])
    frames = f"{count:,} frames of {width}×{height} px (source '{store.source}', seed {store.seed})"
    if len(traces) < count:
        frames += f"; error against iterations of {len(traces):,} of them, spread evenly"
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


def _shown(
    samples: Columns, store: PackedStore, row: int, pictures: Columns, details: Columns
) -> ShownSample:
    number = int(samples["index"][row])
    picture, detail = (part["index"].tolist().index(number) for part in (pictures, details))
    box = np.nan_to_num(details["box"][detail], nan=1.0)
    return ShownSample(
        title=f"{samples['subject'][row]}, {samples['action'][row]}",
        original=around(store.frames_u8_at([number])[0], box),
        synthesised=around(pictures["synthesised"][picture], box),
        adversarial=around(pictures["adversarial"][picture], box),
        pose_before=details["initial_pose"][detail],
        pose_after=details["final_pose"][detail],
        error_mm=float(samples["final_error_mm"][row]),
        psnr_db=float(samples["psnr_db"][row]),
    )


def rows_of(
    run: RunDirectory, table: str, numbers: Sequence[int], columns: Sequence[str] | None = None
) -> dict[str, NDArray[Any]]:
    """The rows of a table whose `index` is one of `numbers`; the others stay on the disk."""
    chosen = [("index", "in", list(numbers))]
    return from_table(pq.read_table(run.path / table, filters=chosen, columns=columns and list(columns)))


def traces_of(run: RunDirectory, numbers: Sequence[int]) -> list[NDArray[np.float32]]:
    """Best error so far at each iteration, for the samples `numbers`, shard by shard."""
    traces: list[NDArray[np.float32]] = []
    for shard in run.shard_numbers(SAMPLES):
        part = run.read_shard(SAMPLES, shard, ["index", "trace"])
        table = part["trace"][np.isin(part["index"], numbers)].astype(np.float32)
        traces += [trace[np.isfinite(trace)] for trace in table]
    return traces
