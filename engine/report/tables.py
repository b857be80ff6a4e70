"""The paper's tables of the attack with ours beside them, from finished attack runs."""

from dpa.engine.analysis.table import Table, table
from dpa.engine.report.attack_runs import MEASURES
from dpa.engine.report.error_tables import cross_generator, table_1
from dpa.engine.report.image_tables import table_2, table_4
from dpa.engine.report.markdown import figure_text
from dpa.engine.report.paper import FRAMEWORKS
from dpa.engine.report.run_words import DASH, IMAGE_TITLES, Runs, percent, runs_note


def all_tables(runs: Runs) -> list[Table]:
    """Every table that the runs have something to say to; the summary always."""
    own = [run for run in runs if run.own]
    plain = [run for run in own if run.target.plain]
    plain.sort(key=lambda run: FRAMEWORKS.index(str(run.target.framework)))
    cssl = [run for run in own if run.target.framework == "CSSL" and not run.target.ablated]
    tables = [summary(runs)]
    if plain:
        tables += [table_1(plain), table_2(plain)]
    if any(run.target.augmented for run in cssl):
        tables.append(table_4(sorted(cssl, key=lambda run: run.target.augmented)))
    if len(runs) > len(own):
        tables.append(cross_generator(runs))
    return tables


def summary(runs: Runs) -> Table:
    """A line a run."""
    columns = ["target", "generator", "n", "φ's error", "initial", "final", "success", "median steps"]
    rows = []
    for run in runs:
        values = run.results
        errors = [values[f"mpjpe_{name}_mm"] for name in ("ground_truth", "initial", "final")]
        rows.append(
            [
                *(run.target.name, run.generator.name, str(values["n"]), *map(figure_text, errors)),
                *(percent(values["success_rate"]), f"{values['iterations']['p50']:.0f}"),
                *(figure_text(values["image"][name], IMAGE_TITLES[name][1]) for name in MEASURES),
            ]
        )
    commands = "\n".join(f"{run.path}: {run.command}" for run in runs)
    note = (
        f"{runs_note(runs)} φ's error: its pose on the original frame against the true one,"
        f" {DASH} where the data hold none.\n{commands}"
    )
    return table("Attack runs", [*columns, *(IMAGE_TITLES[name][0] for name in MEASURES)], rows, note)
