"""The calibration on the page: there where a reference network takes part, absent where none does."""

from dataclasses import replace

from dpa.engine.report.calibration import calibration_of
from dpa.engine.report.findings import read_findings
from dpa.engine.report.page import page_markdown
from dpa.engine.report.page_html import page_html
from dpa.engine.report.page_results import page_results
from dpa.engine.report.page_tables import page_tables
from dpa.engine.report.renderers import headings, lines

ENDS = {"nsd": ("silhouette", 0.1), "cssl": ("entangled", 0.9)}
"""Networks of the hand-made reproduction that play the ends, and what their attacks succeed in."""


def with_ends(findings):
    """NSD said to be the silhouette, CSSL the entangled network; CSSL (DA) stays as it is."""
    networks = []
    for one in findings.networks:
        if one.name in ENDS:
            framework, rate = ENDS[one.name]
            attack = replace(one.attack, results={**one.attack.results, "success_rate": rate})
            one = replace(one, role=replace(one.role, framework=framework), attack=attack)  # noqa: PLW2901
        networks.append(one)
    return replace(findings, networks=networks)


def test_without_a_reference_network_there_is_no_calibration(reproduction) -> None:
    findings = read_findings(reproduction)
    assert calibration_of(findings) is None and "calibration" not in page_tables(findings)


def test_a_network_that_is_measured_for_the_scale_alone_is_in_no_other_table(reproduction) -> None:
    findings = with_ends(read_findings(reproduction))
    ends = [one for one in findings.networks if one.name in ENDS]
    others = [one for one in findings.networks if one.name not in ENDS]
    findings = replace(findings, networks=others, references=ends)
    tables = page_tables(findings)
    heads = headings(tables["calibration"].table)
    assert heads == ["measure", "silhouette", "entangled", "CSSL (DA)", "verdict"]
    assert "NSD, ours" not in headings(tables["summary"].table)
    told = page_results(findings)
    assert list(told["frameworks"]) == ["cssl-da"]
    assert told["calibration"]["networks"] == ["silhouette", "entangled", "CSSL (DA)"]


def test_what_was_not_read_on_an_end_is_said_to_be_unknown(reproduction) -> None:
    findings = with_ends(read_findings(reproduction))
    ends = [
        replace(one, commands={"dc": "do dc"}, summary={"dc": 0.1 if one.name == "nsd" else 0.9})
        for one in findings.networks
        if one.name in ENDS
    ]
    others = [one for one in findings.networks if one.name not in ENDS]
    found = calibration_of(replace(findings, networks=others, references=ends))
    verdicts = {line.measure.key: line.verdict for line in found.lines}
    assert verdicts["dc"] == "tells them apart"
    assert verdicts["iob_pose"] == "not known: no reading of silhouette and entangled"
    assert found.commands["silhouette"] == {"dc": "do dc"}


def test_networks_that_the_paper_has_not_stand_without_a_value_of_the_papers(reproduction) -> None:
    tables = page_tables(with_ends(read_findings(reproduction)))
    summary, metrics = (headings(tables[key].table) for key in ("summary", "table3"))
    for title in ("NSD", "CSSL"):  # their titles; their roles are silhouette and entangled
        assert f"{title}, ours" in summary and f"{title}, paper" not in summary
        assert f"{title}, ours" in metrics
    assert "CSSL (DA), paper" in summary


def test_pictures_that_were_made_smaller_for_iob_are_said_to_be(reproduction) -> None:
    findings = read_findings(reproduction)
    assert "IOB: 1 epochs" in page_tables(findings)["table3"].table.note
    iob = {**findings.note["config"]["iob"], "size": 32}
    note = {**findings.note, "config": {**findings.note["config"], "iob": iob}}
    told = page_tables(replace(findings, note=note))["table3"].table.note
    assert "IOB: pictures of 32², 1 epochs" in told


def test_the_page_shows_each_reading_its_place_and_its_command(reproduction) -> None:
    findings = with_ends(read_findings(reproduction))
    tables = page_tables(findings)
    made = tables["calibration"].table
    assert headings(made) == ["measure", "silhouette", "entangled", "CSSL (DA)", "verdict"]
    rows = {row[0]: row[1:] for row in lines(made)}
    assert rows["attacks that succeed (%)"] == ["10", "90", "100 (112 %)", "tells them apart"]
    assert rows["DC(A, P)"][-1] == "uninformative: the ends lie within 0.050"
    commands = tables["calibration"].commands
    assert "dpa-engine attack --target nsd --generator nsd" in commands
    assert "dpa-engine analyze dc --network cssl" in commands
    html = page_html(findings, page_results(findings), tables, [], images=False)
    assert "tells them apart" in html and "uninformative" in html
    assert "Calibration" in page_markdown(findings, tables, [])
