"""From a finished attack run to its figures and its report.md, with our tables beside the paper's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dpa.engine.analysis.values import Table, count, number, table, words
from dpa.engine.attack.evidence import evidence_in_words
from dpa.engine.attack.run import evenly
from dpa.engine.attack.summary import (
    COLUMNS,
    PROTOCOL,
    data_note,
    finite_mean,
    method_in_words,
    subject_order,
)
from dpa.engine.attack.writer import PICTURES, SAMPLES, read_samples
from dpa.engine.drawing.grid import around
from dpa.engine.drawing.samples import ShownSample, error_curves, sample_grid
from dpa.engine.intervals import mean_interval
from dpa.engine.report.attack_runs import MEASURES, SILHOUETTE, AttackRun, columns_of, measured, role
from dpa.engine.report.attack_tables import ends_of, image_table, table_1
from dpa.engine.report.renderers import figure_text, text, to_markdown
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import PackedStore
from dpa.models.data.tables import from_table

Columns = Mapping[str, NDArray[Any]]

TREATED = {"untreated": "nothing", "jpeg_90": "JPEG at quality 90", "blur_0_7": "a blur of 0.7 pixels"}
"""What was done to attacked pictures before they were read again (`attack/survival.py`)."""

MOST_COLUMNS = 7
MOST_CURVES = 4096

DETAILS = ("index", "box", "initial_pose", "final_pose")
"""What is read of the shown samples alone: the table of all would fill the memory of a long run."""


def write_attack_report(run: RunDirectory, results: Mapping[str, Any], store: PackedStore) -> Path:
    """Writes figures/samples.png, figures/errors.png and report.md. store: where the frames came from.
    Returns the page's path."""
    samples = read_samples(run, [*COLUMNS, "action", *columns_of(run)])
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
    silhouette = _inside_silhouettes(run, store, among)
    run.write_json(SILHOUETTE, silhouette)
    height, width = store.size
    taken = len(samples["index"])
    frames = f"{taken:,} frames of {width}×{height} px (source '{store.source}', seed {store.seed})"
    if len(traces) < taken:
        frames += f"; error against iterations of {len(traces):,} of them, spread evenly"
    told = AttackRun(
        path=run.path,
        results=measured(results, samples, silhouette),
        samples=samples,
        command="",
        note=data_note(store.source),
        target=role(str(results["target"])),
        generator=role(str(results["generator"])),
    )
    already = int((samples["success"] & (samples["iterations"] == 0)).sum())
    run.write_text("report.md", attack_markdown(told, frames, already))
    return run.path / "report.md"


def _inside_silhouettes(run: RunDirectory, store: PackedStore, pictured: Columns) -> dict[str, float | None]:
    """Similarity of the kept pictures where the person is, with 95 % intervals over clips; an attack can
    change nothing elsewhere. {} where the data hold no silhouettes."""
    columns: dict[str, list[float]] = {name: [] for name in MEASURES}
    clips: list[int] = []
    for shard in run.shard_numbers(PICTURES):
        part = run.read_shard(PICTURES, shard)
        rows = part["index"].astype(np.int64)
        masks = store.silhouettes(rows)
        for row, *pictures in zip(rows, masks, part["synthesised"], part["adversarial"], strict=True):
            if pictures[0].any():
                clips.append(int(store.sequence[row]))
                for name, value in compare_person(*pictures).items():
                    columns[name].append(value)
    told: dict[str, float | None] = {"n": len(clips)} if clips else {}
    for name, values in columns.items():
        if clips:
            told[name] = finite_mean(np.array(values))
            ends = mean_interval(np.array(values), np.array(clips))
            told |= dict(zip((f"{name}_low", f"{name}_high"), ends or (None, None), strict=True))
    return told


def compare_person(
    silhouette: NDArray[np.bool_], before: NDArray[np.uint8], after: NDArray[np.uint8]
) -> dict[str, float]:
    """ssim, psnr_db and mse of two pictures [h, w, 3] over the pixels of a silhouette [h, w], not empty; SSIM
    is the mean of its map there."""
    one, other = before / 255, after / 255
    mse = float(((one[silhouette] - other[silhouette]) ** 2).mean())
    windows = structural_similarity(  # type: ignore[no-untyped-call]
        one, other, channel_axis=-1, data_range=1, full=True
    )[1]
    psnr = float(10 * np.log10(1 / mse)) if mse else np.inf
    return {"ssim": float(windows[silhouette].mean()), "psnr_db": psnr, "mse": mse}


def attack_markdown(run: AttackRun, frames: str, already: int) -> str:
    """The page. frames: what was attacked, in words; already: successes that needed no update, because the
    reconstruction alone moved the pose above the threshold."""
    results = run.results
    subjects, errors, images = subjects_table(results), table_1([run]), image_table(run)
    return "\n".join(
        [
            f"# Appearance-only attack on {results['target']}",
            "",
            _headline(results, already),
            "",
            *(f"- {line.strip()[:1].upper()}{line.strip()[1:]}." for line in evidence_in_words(results)),
            "",
            f"> **Data**: {frames}. {run.note}",
            ">",
            f"> **Protocol**: {PROTOCOL}.",
            "",
            "![Samples](figures/samples.png)",
            "",
            "Columns are samples: for each subject the success whose picture changed by the median amount"
            " of that subject's successes. Rows as in the paper's Figure 7: input; reconstruction by the"
            " generator; adversarial image; the target's 3D pose on the input; its pose on the adversarial"
            " image, the former pale behind it (left side blue, right side orange). Below: error, and PSNR"
            " between reconstruction and adversarial frame.",
            "",
            "## Error before and after",
            "",
            to_markdown(subjects),
            subjects.note,
            "",
            to_markdown(errors),
            errors.note,
            "",
            "![Error against iterations](figures/errors.png)",
            "",
            "## Image change",
            "",
            to_markdown(images),
            images.note,
            "",
            "## How it was made",
            "",
            _settings(results),
            "",
            "The settings in force are in `config.resolved.yaml`, the command in `command.txt`, one row a"
            " sample in `samples.parquet/`, the pictures in `adversarial/`.",
            "",
        ]
    )


def subjects_table(results: Mapping[str, Any]) -> Table:
    """Error and success by subject, and of all samples."""
    threshold = f"> {results['min_error_mm']:g} mm"
    names = ("initial_mm", "final_mm")
    rows = [
        [
            words(subject),
            *(number(row[name], 1, "mm", interval=ends_of(row, name)) for name in names),
            number(row["success_rate"], 1, "%", named=True, interval=ends_of(row, "success_rate")),
            count(row["n"]),
        ]
        for subject, row in results["per_subject"].items()
    ]
    overall = {f"mpjpe_{name}": ends_of(results, f"mpjpe_{name}") for name in names}
    told = [number(results[name], 1, "mm", interval=ends) for name, ends in overall.items()]
    success = number(results["success_rate"], 1, "%", named=True, interval=ends_of(results, "success_rate"))
    rows.append([words("all"), *told, success, count(results["n"])])
    title = f"Appearance-only attack on {results['target']}"
    heads = ("subject", "initial (mm)", "final (mm)", threshold, "n")
    medians = [results.get(f"mpjpe_{name}_median") for name in names]
    note = f"{PROTOCOL}. In brackets 95 % intervals over clips."
    if None not in medians:
        note += f" Medians: {figure_text(medians[0])} mm before, {figure_text(medians[1])} mm after."
    if results.get("bones_final") is not None:
        bones = number(results["bones_final"], 2, interval=ends_of(results, "bones_final"))
        note += f" The final poses' bones are {text(bones)} times as long as before the attack."
    survives = results.get("survives", {})
    if survives.get("n"):
        cells = {
            treatment: number(survives[name], 1, "%", named=True, interval=ends_of(survives, name))
            for name, treatment in TREATED.items()
        }
        survivors = ", ".join(f"{text(cell)} after {treatment}" for treatment, cell in cells.items())
        note += f" Of {survives['n']} samples whose pictures were kept succeed: {survivors}."
    return table("subjects", title, heads, rows, note)


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
    parts = sorted((run.path / table).glob("*.parquet"))  # not what was set aside as damaged
    return from_table(pq.read_table(parts, filters=chosen, columns=columns and list(columns)))


def traces_of(run: RunDirectory, numbers: Sequence[int]) -> list[NDArray[np.float32]]:
    """Best error so far at each iteration, for the samples `numbers`, shard by shard."""
    traces: list[NDArray[np.float32]] = []
    for shard in run.shard_numbers(SAMPLES):
        part = run.read_shard(SAMPLES, shard, ["index", "trace"])
        table = part["trace"][np.isin(part["index"], numbers)].astype(np.float32)
        traces += [trace[np.isfinite(trace)] for trace in table]
    return traces


def _headline(results: Mapping[str, Any], already: int) -> str:
    unattacked = f" ({already} of them before any update)" if already else ""
    left_out = sum(results.get(key, 0) for key in ("nonfinite", "no_gradient"))
    without = f" {left_out:,} samples are left out: no finite numbers, or no gradient." if left_out else ""
    limits = f"exceed {results['min_error_mm']:g} mm within {results['max_steps']}"
    return (
        f"Changing nothing but the appearance code, **{100 * results['success_rate']:.1f} %** of"
        f" {results['n'] - left_out:,} samples {limits}"
        f" updates{unattacked}: mean error {figure_text(results['mpjpe_initial_mm'])} mm before the attack,"
        f" {figure_text(results['mpjpe_final_mm'])} mm after it. Errors are against the target's own"
        f" prediction on the original frame, {_truth(results)}.{without}"
    )


def _truth(results: Mapping[str, Any]) -> str:
    """How far that prediction is right, for a subordinate clause; films come without poses."""
    error = results["mpjpe_ground_truth_mm"]
    if error is None:
        return "which cannot be compared with a true pose: these data hold none"
    return f"which is {figure_text(error)} mm from the true pose"


def _settings(results: Mapping[str, Any]) -> str:
    iterations, speed = results["iterations"], results["throughput"]
    facts = {
        "target": results["target"],
        "generator": results["generator"],
        "samples": f"{results['n']:,}, drawn with seed {results['seed']}",
        "method": method_in_words(results["method"]),
        "iterations": f"mean {iterations['mean']:.1f}, median {iterations['p50']:.0f},"
        f" 90th percentile {iterations['p90']:.0f}, most {iterations['max']}",
        "speed": f"{speed['samples_per_s']:.2f} samples/s,"
        f" {speed['sample_iterations_per_s']:.0f} sample-iterations/s",
        "device": results["device"],
        "versions": ", ".join(f"{name} {version}" for name, version in results["versions"].items()),
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())
