"""The paper's tables of the attack with ours beside them, from finished attack runs: Tables 1, 2 and 4, and
targets under the pictures of other generators."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

from dpa.engine.analysis.values import (
    NOTHING,
    Cell,
    Column,
    Source,
    Table,
    count,
    number,
    pair,
    printed,
    table,
    words,
)
from dpa.engine.attack.summary import method_in_words, subject_order
from dpa.engine.report.attack_runs import MEASURES, AttackRun
from dpa.engine.report.paper import (
    FRAMEWORKS,
    TABLE_1,
    TABLE_1_AVERAGES,
    TABLE_1_OVERALL,
    TABLE_1_SUBJECTS,
    TABLE_2,
    TABLE_4,
    Errors,
    recomputed_average,
    recomputed_overall,
    recomputed_subject,
)
from dpa.engine.report.renderers import DASH

Runs = Sequence[AttackRun]

PROTOCOL = "MPJPE in mm over 17 joints, root-relative to the hip, no alignment, before → after the attack"
IMAGE_TITLES = {"ssim": ("SSIM ↑", 3, ""), "psnr_db": ("PSNR ↑ (dB)", 2, "dB"), "mse": ("MSE ↓", 4, "")}
"""Heading, digits and unit of each measure of image similarity."""

PRINTED, RECOMPUTED, ALL = "average, printed", "average, recomputed", "all samples"
INTERVALS = "In brackets 95 % intervals of ours, by resampling whole clips."
SLIP_NOTE = (
    "† as the paper prints it; it does not follow from the paper's own cells, whose mean stands beside it as"
    " recomputed."
)


def all_tables(runs: Runs) -> list[Table]:
    """Every table that the runs have something to say to; the summary always."""
    own = [run for run in runs if run.own]
    tables = [summary(runs)]
    if plain := plain_runs(runs):
        tables += [table_1(plain), table_2(plain)]
    if any(run.target.augmented for run in cssl_runs(runs)):
        tables.append(table_4(cssl_runs(runs)))
    if len(runs) > len(own):
        tables.append(cross_generator(runs))
    return tables


def plain_runs(runs: Runs) -> list[AttackRun]:
    """Those of Tables 1 and 2, in the paper's order."""
    plain = [run for run in runs if run.own and run.target.plain]
    return sorted(plain, key=lambda run: FRAMEWORKS.index(str(run.target.framework)))


def cssl_runs(runs: Runs) -> list[AttackRun]:
    """Those of Table 4, plain ones first."""
    cssl = [run for run in runs if run.own and run.target.framework == "CSSL" and not run.target.ablated]
    return sorted(cssl, key=lambda run: run.target.augmented)


def summary(runs: Runs) -> Table:
    """A line a run."""
    columns = ["target", "generator", "n", "φ's error", "initial", "final", "success", "median steps"]
    rows = []
    for run in runs:
        values = run.results
        errors = [values[f"mpjpe_{name}_mm"] for name in ("ground_truth", "initial", "final")]
        rows.append(
            [
                words(run.target.name),
                words(run.generator.name),
                count(values["n"]),
                *(number(error, 1, "mm") for error in errors),
                number(values["success_rate"], 1, "%", named=True, interval=ends_of(values, "success_rate")),
                number(values["iterations"]["p50"], 0),
                *_images(values["image"]),
            ]
        )
    commands = "\n".join(f"{run.path}: {run.command}" for run in runs)
    note = (
        f"{runs_note(runs)} φ's error: its pose on the original frame against the true one,"
        f" {DASH} where the data hold none.\n{commands}"
    )
    return table("runs", "Attack runs", [*columns, *(IMAGE_TITLES[name][0] for name in MEASURES)], rows, note)


def table_1(runs: Runs) -> Table:
    """MPJPE before and after the attack, the paper's frameworks in its order; runs of others come last, and
    without any run the paper stands alone. Its averages stand as printed, with a mark where they do not
    follow from its cells, and as recomputed."""
    subjects = [*TABLE_1, *(name for run in runs for name in run.results["per_subject"])]
    rows = [*sorted(dict.fromkeys(subjects), key=subject_order), PRINTED, RECOMPUTED, ALL]
    columns: list[tuple[Column, Callable[[str], Cell]]] = []
    for framework in FRAMEWORKS:
        columns.append((Column(framework, Source.PAPER), partial(_paper, framework)))
        columns += [_our_errors(run) for run in runs if run.target.framework == framework]
    columns += [_our_errors(run) for run in runs if run.target.framework not in FRAMEWORKS]
    columns.append((Column("average", Source.PAPER), _paper_printed))
    columns.append((Column("average", Source.RECOMPUTED), _paper_recomputed))
    if runs:
        columns.append((Column("average", Source.OURS), lambda row: _mean([_ours(run, row) for run in runs])))
    cells = [[words(row), *(value(row) for _, value in columns)] for row in rows]
    note = (
        f"{PROTOCOL}. {runs_note(runs)} The paper's averages do not all follow from its cells, so they stand"
        f" as printed and recomputed; ours are means of the subjects. {INTERVALS} {SLIP_NOTE}"
    )
    headings = [Column(""), *(column for column, _ in columns)]
    return table("table1", "Table 1: error before and after the attack", headings, cells, note)


def table_2(runs: Runs) -> Table:
    """Image similarity. runs: as for `table_1`."""
    values = {
        name: {measure: TABLE_2[measure][place] for measure in MEASURES}
        for place, name in enumerate(FRAMEWORKS)
    }
    ours = {name: [run for run in runs if run.target.framework == name] for name in FRAMEWORKS}
    return _similarity("table2", "Table 2: adversarial against synthesised images", values, ours)


def table_4(runs: Runs) -> Table:
    """CSSL against CSSL (DA). runs: of CSSL."""
    names = ("CSSL", "CSSL (DA)")
    values = {
        name: {measure: TABLE_4[measure][place] for measure in MEASURES} for place, name in enumerate(names)
    }
    ours = {
        name: [run for run in runs if run.target.augmented == bool(place)] for place, name in enumerate(names)
    }
    return _similarity("table4", "Table 4: CSSL without and with augmentation", values, ours)


def image_table(run: AttackRun) -> Table:
    """Of one run, whichever network it is of, beside the paper's Table 2."""
    values = {
        name: {measure: TABLE_2[measure][place] for measure in MEASURES}
        for place, name in enumerate(FRAMEWORKS)
    }
    title = "Adversarial against synthesised images, beside the paper's Table 2"
    return _similarity("image", title, values, {run.target.name: [run]})


def _similarity(
    key: str,
    title: str,
    paper: Mapping[str, Mapping[str, float]],
    ours: Mapping[str, Runs],
) -> Table:
    """A line a measure. paper: by network, then by measure; ours: runs by the network beside which they
    stand."""
    columns, cells = [Column("")], [[words(IMAGE_TITLES[name][0])] for name in MEASURES]
    for network in [*paper, *(name for name in ours if name not in paper)]:
        if network in paper:
            columns.append(Column(network, Source.PAPER))
            for line, name in zip(cells, MEASURES, strict=True):
                line.append(printed(paper[network][name], unit=IMAGE_TITLES[name][2]))
        for run in ours.get(network, ()):
            for part, values in run.parts.items():
                columns.append(Column(run.target.name, Source.OURS, part))
                for line, cell in zip(cells, _images(values), strict=True):
                    line.append(cell)
    runs = [run for some in ours.values() for run in some]
    note = (
        f"{runs_note(runs)} Ours inside the person's silhouette and box, and over the whole frame, most of"
        " which no attack can change: what the paper took its measures over, it does not say. SSIM:"
        f" scikit-image, 7×7 uniform window. {INTERVALS}"
    )
    return table(key, title, columns, cells, note)


def _images(values: Mapping[str, float | None]) -> list[Cell]:
    return [
        number(values[name], *IMAGE_TITLES[name][1:], interval=ends_of(values, name)) for name in MEASURES
    ]


def ends_of(results: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """The 95 % interval that results hold as NAME_low and NAME_high."""
    low, high = results.get(f"{name}_low"), results.get(f"{name}_high")
    return None if low is None or high is None else (low, high)


def cross_generator(runs: Runs) -> Table:
    """Success of every target under every generator; of several runs of a pair, the last one's."""
    targets, generators = (
        [*dict.fromkeys(getattr(run, role).name for run in runs)] for role in ("target", "generator")
    )
    cells = {(run.target.name, run.generator.name): _success(run) for run in runs}
    rows = [[words(target), *(cells.get((target, one), NOTHING) for one in generators)] for target in targets]
    note = f"Share above the threshold ({PROTOCOL}). {runs_note(runs)} The paper's is in its supplement only."
    title = "Targets (rows) under other generators (columns)"
    return table("cross", title, ["target", *generators], rows, note)


def _success(run: AttackRun) -> Cell:
    errors = _pair(run.results["mpjpe_initial_mm"], run.results["mpjpe_final_mm"])
    ends = ends_of(run.results, "success_rate")
    return number(run.results["success_rate"], 1, "%", named=True, interval=ends, aside=errors)


def runs_note(runs: Runs) -> str:
    """Whose figures are on which data, and the limits of the attacks."""
    if not runs:
        return "Paper: Human3.6M. No network here belongs in this table."
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


def _pair(initial: float | None, final: float | None) -> Cell:
    return pair(number(initial, 1, "mm"), number(final, 1, "mm"))


def _printed(errors: Errors, follows: Errors | None = None) -> Cell:
    """follows: what the paper's own cells come to, where the errors are said to be their mean."""
    cell = pair(printed(errors.initial, 1, "mm"), printed(errors.final, 1, "mm"))
    slip = follows is not None and [f"{one:.1f}" for one in errors] != [f"{one:.1f}" for one in follows]
    return replace(cell, slip=slip)


def _again(errors: Errors) -> Cell:
    return pair(
        Cell(errors.initial, unit="mm", source=Source.RECOMPUTED),
        Cell(errors.final, unit="mm", source=Source.RECOMPUTED),
    )


def _paper(framework: str, row: str) -> Cell:
    place = FRAMEWORKS.index(framework)
    if row in TABLE_1:
        return _printed(TABLE_1[row][place])
    again = recomputed_average(framework)
    return {PRINTED: _printed(TABLE_1_AVERAGES[place], again), RECOMPUTED: _again(again)}.get(row, NOTHING)


def _paper_printed(row: str) -> Cell:
    if row in TABLE_1:
        return _printed(TABLE_1_SUBJECTS[row], recomputed_subject(row))
    column = [*zip(*TABLE_1_SUBJECTS.values(), strict=True)]
    again = Errors(fmean(column[0]), fmean(column[1]))
    return {PRINTED: _printed(TABLE_1_OVERALL, again), RECOMPUTED: _again(again)}.get(row, NOTHING)


def _paper_recomputed(row: str) -> Cell:
    if row in TABLE_1:
        return _again(recomputed_subject(row))
    return _again(recomputed_overall()) if row == RECOMPUTED else NOTHING


def _our_errors(run: AttackRun) -> tuple[Column, Callable[[str], Cell]]:
    return Column(run.target.name, Source.OURS), partial(_ours, run)


def _ours(run: AttackRun, row: str) -> Cell:
    subjects = run.results["per_subject"]
    if row == ALL:
        return _errors(run.results, "mpjpe_initial_mm", "mpjpe_final_mm")
    if row == RECOMPUTED:
        return _mean([_ours(run, name) for name in subjects])
    return _errors(subjects[row], "initial_mm", "final_mm") if row in subjects else NOTHING


def _errors(results: Mapping[str, Any], *names: str) -> Cell:
    before, after = (number(results[name], 1, "mm", interval=ends_of(results, name)) for name in names)
    return pair(before, after)


def _mean(cells: Sequence[Cell]) -> Cell:
    """Part by part, of what is there."""
    pairs = [(cell.value, cell.after.value) for cell in cells if cell.after is not None]
    if not pairs:
        return NOTHING
    first, second = ([value for value in part if value is not None] for part in zip(*pairs, strict=True))
    return _pair(fmean(first) if first else None, fmean(second) if second else None)
