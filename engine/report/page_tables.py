"""The tables of the page: the summary over all networks, the paper's Tables 1 to 4, and what goes beyond."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dpa.engine.analysis.measures import ATTACK, ATTACK_MEASURES, Measure
from dpa.engine.analysis.values import Cell, Column, Source, Table, count, number, printed, table, words
from dpa.engine.attack.summary import data_note
from dpa.engine.report.attack_tables import (
    PROTOCOL,
    SLIP_NOTE,
    cross_generator,
    cssl_runs,
    plain_runs,
    table_1,
    table_2,
    table_4,
)
from dpa.engine.report.calibration import calibration_of
from dpa.engine.report.differences import differences
from dpa.engine.report.findings import Findings, NetworkFindings, paper_title
from dpa.engine.report.paper import FRAMEWORKS, TABLE_1_AVERAGES, TABLE_2, TABLE_4, recomputed_average

TITLES = (*FRAMEWORKS, "CSSL (DA)")
"""The paper's networks in the order of its tables."""


@dataclass(frozen=True)
class PageTable:
    """A table of the page with the commands that print its figures."""

    table: Table
    commands: Sequence[str]


def page_tables(findings: Findings) -> dict[str, PageTable]:
    """By key: summary, table1 to table4, cross, predictions; calibration where a network of it takes part.
    Tables without any of our figures still show the paper's."""
    attacks = findings.attacks
    own = [one.commands[ATTACK] for one in findings.networks]
    every = {command: None for one in findings.networks for command in one.commands.values() if command}
    found = [
        PageTable(summary_table(findings), _commands(findings, _in_summary(findings))),
        *(
            PageTable(_told(findings, made), own)
            for made in (
                table_1(plain_runs(attacks)),
                table_2(plain_runs(attacks)),
                table_4(cssl_runs(attacks) if any(run.target.augmented for run in attacks) else []),
            )
        ),
        PageTable(table_3(findings), _commands(findings, _of_table_3(findings))),
        PageTable(predictions_table(findings), [one.commands["predict"] for one in findings.networks]),
    ]
    if (apart := differences(attacks)) is not None:
        found.append(PageTable(_told(findings, apart), own))
    if len(attacks) > len(findings.networks):
        found.append(PageTable(cross_generator(attacks), [one for one in every if " attack " in one]))
    if (calibration := calibration_of(findings)) is not None:
        told = [command for stages in calibration.commands.values() for command in stages.values()]
        found.append(PageTable(calibration.table(), told))
    return {one.table.key: one for one in found}


def _told(findings: Findings, made: Table) -> Table:
    """With what must stand beside figures of these data, where the table itself does not say it."""
    note = data_note(findings.source)
    return made if note in made.note else replace(made, note=f"{made.note} Ours: {note}")


def measures_of(findings: Findings) -> dict[str, tuple[str, Measure]]:
    """Every measure by its key, with the stage that takes it: the paper's metrics, the attack, the others."""
    analyses = [(one.name, measure) for one in findings.analyses for measure in one.measures]
    papers = [one for one in analyses if one[1].paper_table is not None]
    others = [one for one in analyses if one[1].paper_table is None]
    attack = [(ATTACK, measure) for measure in ATTACK_MEASURES]
    return {measure.key: (stage, measure) for stage, measure in (*papers, *attack, *others)}


def _in_summary(findings: Findings) -> dict[str, tuple[str, Measure]]:
    return {key: one for key, one in measures_of(findings).items() if one[1].summary}


def _of_table_3(findings: Findings) -> dict[str, tuple[str, Measure]]:
    return {key: one for key, one in measures_of(findings).items() if one[1].paper_table == 3}


def _commands(findings: Findings, measures: Mapping[str, tuple[str, Measure]]) -> list[str]:
    told = [one.commands[stage] for one in findings.networks for stage, _ in measures.values()]
    return list(dict.fromkeys(told))


def cell_of(network: NetworkFindings, stage: str, measure: Measure) -> Cell:
    """Ours of one network."""
    return measure.cell(network.results_of(stage), network.name, network.commands[stage])


def summary_table(findings: Findings) -> Table:
    """Measures × networks; the paper's value beside ours where it has one."""
    measures = list(_in_summary(findings).values())
    columns = [Column("figure"), Column("disentangled")]
    cells = [[words(one.heading), words(one.null)] for _, one in measures]
    for network, ours, paper in _in_the_papers_order(findings):
        columns.append(Column(ours, Source.OURS))
        for line, (stage, measure) in zip(cells, measures, strict=True):
            line.append(words("missing") if network is None else cell_of(network, stage, measure))
        if paper is not None:
            columns.append(Column(paper, Source.PAPER))
            for line, (_, measure) in zip(cells, measures, strict=True):
                line.append(paper_cell(paper, measure))
    note = f"{PROTOCOL}. {_whose(findings)} {SLIP_NOTE}"
    return table("summary", "All networks, all figures", columns, cells, note)


def _in_the_papers_order(findings: Findings) -> list[tuple[NetworkFindings | None, str, str | None]]:
    """(network, None where it is missing; its title; the paper's): the paper's first, then the others."""
    found: list[tuple[NetworkFindings | None, str, str | None]] = [
        (one, one.title, paper_title(one.role)) for one in findings.networks
    ]
    missing = [one["title"] for one in findings.missing]
    found += [(None, title, title if title in TITLES else None) for title in missing]
    return sorted(found, key=lambda one: TITLES.index(one[2]) if one[2] in TITLES else len(TITLES))


def paper_cell(title: str, measure: Measure) -> Cell:
    """The paper's figure as printed, with its recomputed value in brackets where that differs."""
    if measure.key in TABLE_2:
        values = dict(zip(FRAMEWORKS, TABLE_2[measure.key], strict=True))
        values["CSSL (DA)"] = TABLE_4[measure.key][1]
        return printed(values.get(title), min(measure.digits, 3), measure.unit)
    if measure.key in ("initial_mm", "final_mm") and title in FRAMEWORKS:
        part = measure.key.removesuffix("_mm")
        value = getattr(TABLE_1_AVERAGES[FRAMEWORKS.index(title)], part)
        again = getattr(recomputed_average(title), part)
        slip = f"{value:.1f}" != f"{again:.1f}"
        cell = printed(value, 1, "mm", slip=slip)
        return cell.beside(Cell(again, 1, "mm", source=Source.RECOMPUTED)) if slip else cell
    return measure.paper_cell(title)


def table_3(findings: Findings) -> Table:
    """Distance correlation and information over bias, the paper's and ours."""
    measures = list(_of_table_3(findings).values())
    columns = [Column("metric")]
    cells = [[words(measure.heading)] for _, measure in measures]
    for title in (*TITLES, None):
        if title is not None:
            columns.append(Column(title, Source.PAPER))
            for line, (_, measure) in zip(cells, measures, strict=True):
                line.append(measure.paper_cell(title))
        for network in (one for one in findings.networks if paper_title(one.role) == title):
            columns.append(Column(network.title, Source.OURS))
            for line, (stage, measure) in zip(cells, measures, strict=True):
                line.append(cell_of(network, stage, measure))
    config = findings.note["config"]
    iob = config["iob"]
    side = f" pictures of {iob['size']}²," if iob.get("size") else ""
    note = (
        f"{config['samples']} pictures; IOB:{side} {iob['epochs']} epochs, seeds:"
        f" {iob['seeds']}, ± standard deviation between them. DC is biased upward: of 400"
        " pictures independent codes of 128 and 600 dimensions come near 0.8, so its null stands below it."
        f" {_whose(findings)}"
    )
    return table("table3", "Table 3: disentanglement metrics", columns, cells, note)


def predictions_table(findings: Findings) -> Table:
    """How well each network reconstructs, finds and poses people before any attack."""
    names: dict[str, tuple[str, int, str]] = {
        "psnr_db": ("crop PSNR (dB)", 2, "dB"),
        "box_iou": ("box IoU", 3, ""),
        "mpjpe_mm": ("MPJPE (mm)", 1, "mm"),
        "n_mpjpe_mm": ("N-MPJPE (mm)", 1, "mm"),
        "p_mpjpe_mm": ("P-MPJPE (mm)", 1, "mm"),
    }
    rows = [
        [
            words(one.title),
            count(one.predictions["n"]),
            *(number(one.predictions.get(name), digits, unit) for name, (_, digits, unit) in names.items()),
            number(one.role.refinement, 0),
            number(one.role.labels, 0, "%"),
        ]
        for one in findings.networks
    ]
    note = (
        "17 joints, root-relative to the hip, against the true pose: MPJPE unaligned, N- after scaling,"
        " P- after Procrustes. Refinement: steps in which the decoder alone learns to paint what the network"
        " itself reads as before, of which the paper says nothing; without it the reconstruction alone moves"
        " the pose further, and the error before the attack is larger. Labels: share of the training frames"
        f" whose true pose φ was fitted on. {_whose(findings)}"
    )
    heads = ["network", "frames", *(title for title, *_ in names.values())]
    heads += ["refinement (steps)", "labels of φ (%)"]
    return table("predictions", "How good the networks are to begin with", heads, rows, note)


def _whose(findings: Findings) -> str:
    return f"Paper: Human3.6M. Ours: {data_note(findings.source)}"
