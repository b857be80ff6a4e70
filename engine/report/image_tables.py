"""Tables of image similarity: the paper's Tables 2 and 4."""

from dpa.engine.analysis.table import Table, table
from dpa.engine.report.attack_runs import MEASURES, AttackRun
from dpa.engine.report.markdown import figure_text
from dpa.engine.report.paper import FRAMEWORKS, TABLE_2, TABLE_4
from dpa.engine.report.run_words import IMAGE_TITLES, Runs, runs_note


def table_2(runs: Runs) -> Table:
    """Image similarity. runs: as for `table_1`."""
    columns, values = [""], []
    for framework in FRAMEWORKS:
        columns.append(f"{framework}, paper")
        values.append({name: f"{TABLE_2[name][FRAMEWORKS.index(framework)]:g}" for name in MEASURES})
        for run in runs:
            if run.target.framework == framework:
                columns += _our_columns(run)
                values += _our_images(run)
    return _images("Table 2: adversarial against synthesised images", columns, values, runs)


def table_4(runs: Runs) -> Table:
    """CSSL against CSSL (DA). runs: of CSSL, plain ones first."""
    columns, values = [""], []
    for augmented, heading in enumerate(("CSSL, paper", "CSSL (DA), paper")):
        columns.append(heading)
        values.append({name: f"{TABLE_4[name][augmented]:g}" for name in MEASURES})
        for run in runs:
            if run.target.augmented == bool(augmented):
                columns += _our_columns(run)
                values += _our_images(run)
    return _images("Table 4: CSSL without and with augmentation", columns, values, runs)


def _our_columns(run: AttackRun) -> list[str]:
    return [f"{run.target.name}, frame", f"{run.target.name}, box"]


def _our_images(run: AttackRun) -> list[dict[str, str]]:
    return [
        {name: figure_text(values[name], IMAGE_TITLES[name][1]) for name in MEASURES}
        for values in (run.results["image"], run.image_in_box)
    ]


def _images(title: str, columns: list[str], values: list[dict[str, str]], runs: Runs) -> Table:
    rows = [[IMAGE_TITLES[name][0], *(value[name] for value in values)] for name in MEASURES]
    note = (
        f"{runs_note(runs)} Ours over the whole frame and inside the person's box: what the paper took its"
        " measures over, it does not say. SSIM: scikit-image, 7×7 uniform window."
    )
    return table(title, columns, rows, note)
