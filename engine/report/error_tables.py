"""Tables of errors: the paper's Table 1, and targets under the pictures of other generators."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from dpa.engine.analysis.table import Table, table
from dpa.engine.attack.summary import subject_order
from dpa.engine.report.attack_runs import AttackRun
from dpa.engine.report.paper import (
    FRAMEWORKS,
    TABLE_1,
    TABLE_1_AVERAGES,
    TABLE_1_OVERALL,
    TABLE_1_SUBJECTS,
    recomputed_average,
    recomputed_overall,
    recomputed_subject,
)
from dpa.engine.report.run_words import DASH, PROTOCOL, Pair, Runs, arrow, percent, runs_note

PRINTED, RECOMPUTED, ALL = "average, printed", "average, recomputed", "all samples"
PAPERS_AGAIN = "paper's average, recomputed"


def table_1(runs: Runs) -> Table:
    """MPJPE before and after the attack. runs: at least one, of plain frameworks, in the paper's order."""
    subjects = list(TABLE_1) + [name for run in runs for name in run.results["per_subject"]]
    rows = sorted(dict.fromkeys(subjects), key=subject_order)
    columns: list[tuple[str, Callable[[str], Pair | None]]] = []
    for framework in FRAMEWORKS:
        columns.append((f"{framework}, paper", partial(_paper, framework)))
        ours = [run for run in runs if run.target.framework == framework]
        columns += [(f"{run.target.name}, ours", partial(_ours, run)) for run in ours]
    columns.append(("average, paper", _paper_printed))
    columns.append((PAPERS_AGAIN, _paper_recomputed))
    columns.append(("average, ours", lambda row: _mean([_ours(run, row) for run in runs])))
    cells = [[row, *(arrow(value(row)) for _, value in columns)] for row in (*rows, PRINTED, RECOMPUTED, ALL)]
    note = (
        f"{PROTOCOL}. {runs_note(runs)} The paper's averages do not all follow from its cells, so they stand"
        " as printed and recomputed; ours are means of the subjects."
    )
    headings = ["", *(name for name, _ in columns)]
    return table("Table 1: error before and after the attack", headings, cells, note)


def cross_generator(runs: Runs) -> Table:
    """Success of every target under every generator; of several runs of a pair, the last one's."""
    targets, generators = (
        [*dict.fromkeys(getattr(run, role).name for run in runs)] for role in ("target", "generator")
    )
    cells = {(run.target.name, run.generator.name): _success(run) for run in runs}
    rows = [[target, *(cells.get((target, one), DASH) for one in generators)] for target in targets]
    note = f"Share above the threshold ({PROTOCOL}). {runs_note(runs)} The paper's is in its supplement only."
    return table("Targets (rows) under other generators (columns)", ["target", *generators], rows, note)


def _success(run: AttackRun) -> str:
    pair = run.results["mpjpe_initial_mm"], run.results["mpjpe_final_mm"]
    return f"{percent(run.results['success_rate'])} ({arrow(pair)})"


def _paper(framework: str, row: str) -> Pair | None:
    place = FRAMEWORKS.index(framework)
    if row in TABLE_1:
        return TABLE_1[row][place]
    return {PRINTED: TABLE_1_AVERAGES[place], RECOMPUTED: recomputed_average(framework)}.get(row)


def _paper_printed(row: str) -> Pair | None:
    column = [(cell.initial, cell.final) for cell in TABLE_1_SUBJECTS.values()]
    return {**TABLE_1_SUBJECTS, PRINTED: TABLE_1_OVERALL, RECOMPUTED: _mean(column)}.get(row)


def _paper_recomputed(row: str) -> Pair | None:
    return recomputed_overall() if row == RECOMPUTED else recomputed_subject(row) if row in TABLE_1 else None


def _ours(run: AttackRun, row: str) -> Pair | None:
    subjects = run.results["per_subject"]
    if row == ALL:
        return run.results["mpjpe_initial_mm"], run.results["mpjpe_final_mm"]
    if row == RECOMPUTED:
        return _mean([_ours(run, name) for name in subjects])
    return (subjects[row]["initial_mm"], subjects[row]["final_mm"]) if row in subjects else None


def _mean(pairs: Sequence[Pair | None]) -> Pair | None:
    """Part by part, of what is there."""
    known = [pair for pair in pairs if pair is not None]
    parts = [[value for pair in known if (value := pair[part]) is not None] for part in (0, 1)]
    return (fmean(parts[0]) if parts[0] else None, fmean(parts[1]) if parts[1] else None) if known else None
