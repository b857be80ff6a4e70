"""The tables of the page: the summary over all networks, the paper's Tables 1 to 4, and what goes beyond."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dpa.engine.analysis.table import Table, table
from dpa.engine.attack.summary import data_note
from dpa.engine.calibration.page import calibration_of
from dpa.engine.report.error_tables import PAPERS_AGAIN, PRINTED, RECOMPUTED, cross_generator
from dpa.engine.report.findings import Findings, NetworkFindings, paper_title
from dpa.engine.report.paper import (
    FRAMEWORKS,
    TABLE_1_AVERAGES,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    recomputed_average,
)
from dpa.engine.report.run_words import DASH, IMAGE_TITLES, PROTOCOL
from dpa.engine.report.tables import all_tables
from dpa.engine.report.whole_results import commands_of, framework_results

SLIP = " †"
SLIP_NOTE = (
    "† as the paper prints it; it does not follow from the paper's own cells, whose mean stands beside it as"
    " recomputed."
)


@dataclass(frozen=True)
class Measure:
    """A line of the summary. key: in results.json. scale: what the value is multiplied by. perfect: what
    disentangled codes would give, in words."""

    key: str
    title: str
    digits: int
    perfect: str
    scale: float = 1.0


SUMMARY = (
    Measure("dc", "DC(A, P) ↓", 2, "its null"),
    Measure("dc_null_p95", "its null, 95th percentile", 2, ""),
    Measure("dcor", "dCor(A, P), bias corrected ↓", 2, "0"),
    Measure("iob_appearance", "IOB(I, A) ↑", 2, "above 1"),
    Measure("iob_pose", "IOB(I, P) ↑", 2, "above 1"),
    Measure("initial_mm", "error before the attack (mm)", 1, ""),
    Measure("final_mm", "error after the attack (mm)", 1, "as before"),
    Measure("success_rate", "attacks that succeed (%)", 1, "0", 100),
    Measure("ssim", "SSIM of attacked frames", 3, ""),
    Measure("psnr_db", "PSNR of attacked frames (dB)", 2, ""),
    Measure("mse", "MSE of attacked frames", 4, ""),
    Measure("swap_pose_shift_mm", "swapped appearance moves the pose (mm) ↓", 1, "0"),
    Measure("counterfactual_pose_shift_mm", "other clothes move the pose (mm) ↓", 1, "0"),
    Measure("knn_action_from_appearance", "appearance code tells the action (%) ↓", 1, "chance", 100),
    Measure("knn_subject_from_pose", "pose code tells the person (%) ↓", 1, "chance", 100),
)


@dataclass(frozen=True)
class PageTable:
    """A table of the page. key: its id and the name of its files. commands: what prints its figures."""

    key: str
    table: Table
    commands: Sequence[str]


def page_tables(findings: Findings) -> dict[str, PageTable]:
    """By key: summary, table1 to table4, cross, predictions; calibration where a network of it takes part.
    Tables without any of our figures still show the paper's."""
    own = [one.attack for one in findings.networks]
    attack_commands = [one.commands[f"attack-by-{one.name}"] for one in findings.networks]
    by_title = {one.title: one for one in all_tables(findings.attacks)}
    found = {"summary": PageTable("summary", summary_table(findings), _summary_commands(findings))}
    for key in ("table1", "table2", "table4"):
        number = key.removeprefix("table")
        made = next((one for title, one in by_title.items() if title.startswith(f"Table {number}")), None)
        found[key] = PageTable(key, flagged(made or paper_only(key, findings)), attack_commands)
    commands = [one.commands[stage] for one in findings.networks for stage in ("dc", "iob")]
    found["table3"] = PageTable("table3", table_3(findings), commands)
    if len(findings.attacks) > len(own):
        crossed = cross_generator(findings.attacks)
        told = [
            command for one in findings.networks for name, command in one.commands.items() if "-by-" in name
        ]
        found["cross"] = PageTable("cross", crossed, told)
    told = [one.commands["predict"] for one in findings.networks]
    found["predictions"] = PageTable("predictions", predictions_table(findings), told)
    if (calibration := calibration_of(findings)) is not None:
        told = [command for stages in calibration.commands.values() for command in stages.values()]
        found["calibration"] = PageTable("calibration", calibration.table(), told)
    return found


def _summary_commands(findings: Findings) -> list[str]:
    told = [command for one in findings.networks for command in commands_of(one).values()]
    return list(dict.fromkeys(told))


def summary_table(findings: Findings) -> Table:
    """Networks × figures; the paper's value beside ours where it has one."""
    columns, cells = ["figure", "disentangled"], [[one.title, one.perfect] for one in SUMMARY]
    for network, ours, paper in _in_the_papers_order(findings):
        values = None if network is None else framework_results(network)
        columns.append(f"{ours}, ours")
        for line, measure in zip(cells, SUMMARY, strict=True):
            line.append("missing" if values is None else number(values[measure.key], measure))
        if paper is not None:
            columns.append(f"{paper}, paper")
            for line, measure in zip(cells, SUMMARY, strict=True):
                line.append(paper_value(paper, measure))
    note = f"{PROTOCOL}. {_whose(findings)} {SLIP_NOTE}"
    return table("All networks, all figures", columns, cells, note)


def _in_the_papers_order(findings: Findings) -> list[tuple[NetworkFindings | None, str, str | None]]:
    """(network, None where it is missing; its title; the paper's): the paper's first, then the others."""
    found: list[tuple[NetworkFindings | None, str, str | None]] = [
        (one, one.title, paper_title(one.role)) for one in findings.networks
    ]
    order = [*FRAMEWORKS, "CSSL (DA)"]
    missing = [one["title"] for one in findings.missing]
    found += [(None, title, title if title in order else None) for title in missing]
    return sorted(found, key=lambda one: order.index(one[2]) if one[2] in order else len(order))


def number(value: float | None, measure: Measure) -> str:
    """A figure as the summary prints it."""
    return DASH if value is None else f"{measure.scale * value:.{measure.digits}f}"


def paper_value(title: str, measure: Measure) -> str:
    """The paper's figure as printed, with its recomputed value in brackets where that differs."""
    if measure.key in TABLE_3:
        value = TABLE_3[measure.key].get(title)
        return DASH if value is None else f"{value:.2f}"
    if measure.key in TABLE_2:
        values = dict(zip(FRAMEWORKS, TABLE_2[measure.key], strict=True))
        values["CSSL (DA)"] = TABLE_4[measure.key][1]
        digits = min(measure.digits, 3)
        return f"{values[title]:.{digits}f}" if title in values else DASH
    if measure.key in ("initial_mm", "final_mm") and title in FRAMEWORKS:
        part = measure.key.removesuffix("_mm")
        printed = getattr(TABLE_1_AVERAGES[FRAMEWORKS.index(title)], part)
        again = getattr(recomputed_average(title), part)
        same = f"{printed:.1f}" == f"{again:.1f}"
        return f"{printed:.1f}" if same else f"{printed:.1f}{SLIP} ({again:.1f})"
    return DASH


def flagged(made: Table) -> Table:
    """Table 1 with a mark at every printed average that does not follow from the paper's own cells."""
    rows = {row[0]: list(row) for row in made.rows}
    if PRINTED not in rows or RECOMPUTED not in rows:
        return made
    for place, column in enumerate(made.columns):
        if column.endswith("paper") and rows[PRINTED][place] != rows[RECOMPUTED][place]:
            rows[PRINTED][place] += SLIP
    side, again = made.columns.index("average, paper"), made.columns.index(PAPERS_AGAIN)
    for name, row in rows.items():
        if (
            name not in (PRINTED, RECOMPUTED)
            and DASH not in (row[side], row[again])
            and row[side] != row[again]
        ):
            row[side] += SLIP
    return replace(made, rows=tuple(map(tuple, rows.values())), note=f"{made.note} {SLIP_NOTE}")


def paper_only(key: str, findings: Findings) -> Table:
    """Tables 1, 2 and 4 where no network of ours belongs in them."""
    note = f"No network here belongs in this table. {_whose(findings)}"
    if key == "table1":
        averages = [f"{one.initial} → {one.final}" for one in TABLE_1_AVERAGES]
        again = [recomputed_average(name) for name in FRAMEWORKS]
        rows = [
            [PRINTED, *averages],
            [RECOMPUTED, *(f"{one.initial:.1f} → {one.final:.1f}" for one in again)],
        ]
        heads = ["", *(f"{name}, paper" for name in FRAMEWORKS)]
        return table("Table 1: error before and after the attack", heads, rows, note)
    values: Mapping[str, Sequence[float]] = TABLE_2 if key == "table2" else TABLE_4
    heads = list(FRAMEWORKS) if key == "table2" else ["CSSL", "CSSL (DA)"]
    rows = [[IMAGE_TITLES[name][0], *(f"{value:g}" for value in row)] for name, row in values.items()]
    title = "Table 2: adversarial against synthesised images"
    if key == "table4":
        title = "Table 4: CSSL without and with augmentation"
    return table(title, ["", *(f"{name}, paper" for name in heads)], rows, note)


def table_3(findings: Findings) -> Table:
    """Distance correlation and information over bias, the paper's and ours."""
    keys = ("dc", "dc_null_p95", "dcor", "iob_appearance", "iob_pose")
    lines = [measure for measure in SUMMARY if measure.key in keys]
    lines.sort(key=lambda measure: keys.index(measure.key))
    columns, cells = ["metric"], [[measure.title] for measure in lines]
    for title in (*FRAMEWORKS, "CSSL (DA)"):
        columns.append(f"{title}, paper")
        for line, measure in zip(cells, lines, strict=True):
            line.append(paper_value(title, measure))
        for network in _playing(findings, title):
            columns.append(f"{network.title}, ours")
            for line, measure in zip(cells, lines, strict=True):
                line.append(_with_spread(network, measure))
    for network in _playing(findings, None):
        columns.append(f"{network.title}, ours")
        for line, measure in zip(cells, lines, strict=True):
            line.append(_with_spread(network, measure))
    config = findings.note["config"]
    iob = config["iob"]
    side = f" pictures of {iob['size']}²," if iob.get("size") else ""
    note = (
        f"{config['samples']} pictures; IOB:{side} {iob['epochs']} epochs, seeds:"
        f" {iob['seeds']}, ± standard deviation between them. DC is biased upward: of 400"
        " pictures independent codes of 128 and 600 dimensions come near 0.8, so its null stands below it."
        f" {_whose(findings)}"
    )
    return table("Table 3: disentanglement metrics", columns, cells, note)


def _playing(findings: Findings, title: str | None) -> list[NetworkFindings]:
    return [one for one in findings.networks if paper_title(one.role) == title]


def _with_spread(network: NetworkFindings, measure: Measure) -> str:
    text = number(network.summary.get(measure.key), measure)
    spread = network.summary.get(f"{measure.key}_spread")
    return text if spread is None else f"{text} ± {spread:.{measure.digits}f}"


def predictions_table(findings: Findings) -> Table:
    """How well each network reconstructs, finds and poses people before any attack."""
    names = {
        "psnr_db": ("crop PSNR (dB)", 2),
        "box_iou": ("box IoU", 3),
        "mpjpe_mm": ("MPJPE (mm)", 1),
        "n_mpjpe_mm": ("N-MPJPE (mm)", 1),
        "p_mpjpe_mm": ("P-MPJPE (mm)", 1),
    }
    rows = [
        [one.title, str(one.predictions["n"])]
        + [
            f"{one.predictions[name]:.{digits}f}" if name in one.predictions else DASH
            for name, (_, digits) in names.items()
        ]
        for one in findings.networks
    ]
    note = (
        "17 joints, root-relative to the hip, against the true pose: MPJPE unaligned, N- after scaling,"
        f" P- after Procrustes. {_whose(findings)}"
    )
    heads = ["network", "frames", *(title for title, _ in names.values())]
    return table("How good the networks are to begin with", heads, rows, note)


def _whose(findings: Findings) -> str:
    return f"Paper: Human3.6M. Ours: {data_note(findings.source)}"
