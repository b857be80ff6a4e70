"""Tables of values in every format: what was written is read back, LaTeX by a LaTeX parser."""

import csv
import io

import pytest
from pylatexenc.latex2text import LatexNodes2Text

from dpa.engine.analysis.values import (
    NOTHING,
    Cell,
    Column,
    Source,
    count,
    number,
    pair,
    printed,
    table,
    words,
)
from dpa.engine.cli.console import show_table
from dpa.engine.report.renderers import headings, lines, text, to_csv, to_latex, to_markdown

CELLS = {
    "98.4": number(0.984, 1, "%"),
    "98.4 %": number(0.984, 1, "%", named=True),
    "0.71 (0.68 to 0.74)": number(0.71, 2, interval=(0.68, 0.74)),
    "50.0 (40.0 to 60.0)": number(0.5, 1, "%", interval=(0.4, 0.6)),
    "40.0 to 60.0": Cell(unit="%", interval=(0.4, 0.6)),
    "1.20 ± 0.03": number(1.2, 2, spread=0.03),
    "21.0 → 179.7": pair(printed(21.0, 1, "mm"), printed(179.7, 1, "mm")),
    "25.6 → 207.5 †": pair(printed(25.6, 1, "mm", slip=True), printed(207.5, 1, "mm")),
    "207.5 † (187.8)": printed(207.5, 1, slip=True).beside(Cell(187.8, source=Source.RECOMPUTED)),
    "98.4 % (31.5 → 181.5)": number(0.984, 1, "%", named=True, aside=pair(number(31.5), number(181.5))),
    "95 (95 %)": number(0.95, 0, "%", aside=number(0.95, 0, "%", named=True)),
    "95.0 (93.0 to 97.0; 87 %)": number(95.0, interval=(93.0, 97.0), aside=number(0.87, 0, "%", named=True)),
    "26.45": printed(26.45),
    "22.9": printed(22.90),
    "400": count(400),
    "missing": words("missing"),
    "–": NOTHING,
    "– → 180.0": pair(number(None), number(180.0)),
}


@pytest.mark.parametrize("wanted", CELLS)
def test_cells_are_printed(wanted):
    assert text(CELLS[wanted]) == wanted


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_not_finite_is_a_dash(value):
    assert text(number(value, 1, "mm", interval=None)) == "–" and number(value).empty


def made():
    columns = [Column("name"), Column("NSD", Source.PAPER), Column("NSD", Source.OURS)]
    rows = [["A | B, 100 % & more_", printed(0.88), number(0.71, 2)], ["φ → µ", NOTHING, number(3.0)]]
    return table("key", "Title & more", columns, rows, "A note: 50 % of {all}.")


def test_a_column_of_ours_finds_the_papers():
    columns = [Column("A", Source.PAPER), Column("A", Source.OURS), Column("A", Source.OURS, "box")]
    assert [column.heading for column in columns] == ["A, paper", "A, ours", "A, box"]
    assert [column.counterpart(columns) for column in columns] == [None, 0, None]


def test_rows_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"rows of \[1\] cells under 2 columns"):
        table("t", "t", ("a", "b"), [["1"]])


def test_csv_is_read_back():
    rows = list(csv.reader(io.StringIO(to_csv(made()))))
    assert rows == [headings(made()), *lines(made())]


def test_markdown_keeps_bars_in_cells_and_aligns_figures_right():
    found = [line.strip("| ") for line in to_markdown(made()).splitlines()]
    assert [cell.strip() for cell in found[0].split(" | ")] == ["name", "NSD, paper", "NSD, ours"]
    assert [cell.strip().endswith(":") for cell in found[1].split("|")] == [False, True, True]
    assert found[2].startswith(r"A \| B, 100 % & more_")
    assert to_markdown(made(), prose=True).splitlines()[1].count("-:") == 0


def test_latex_says_the_same_to_a_latex_parser():
    source = to_latex(made())
    assert source.count("\\begin") == source.count("\\end") == 2
    for rule in ("toprule", "midrule", "bottomrule"):
        assert source.count(f"\\{rule}") == 1
    body = source.split("\\midrule")[1].split("\\bottomrule")[0]
    reader = LatexNodes2Text()
    rows = [row for row in body.split("\\\\") if row.strip()]
    for row, wanted in zip(rows, lines(made()), strict=True):
        cells = [reader.latex_to_text(cell).strip() for cell in row.replace("\\&", "\\textand ").split("&")]
        assert [cell.replace("and", "&") for cell in cells][1:] == wanted[1:]
    assert "100 \\%" in body and "more\\_" in body and all(ord(sign) < 128 for sign in source)
    assert reader.latex_to_text(source.split("\\caption{")[1].split("}\n")[0]) == (
        "Title & more. A note: 50 % of {all}."
    )


def test_the_terminal_shows_every_cell(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    show_table(made())
    shown = capsys.readouterr().out
    for cell in (*headings(made()), *(cell for line in lines(made()) for cell in line), made().note):
        assert cell in shown
