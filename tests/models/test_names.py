"""Names cannot move a cursor, begin a line, open a tag or stand for something else than themselves."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpa.engine.analysis.values import Cell, Column, Table, words
from dpa.engine.cli.console import print_table
from dpa.engine.report.renderers import to_csv, to_latex, to_markdown
from dpa.models.names import plain, plain_lines

HOSTILE = ["a\nb", "[/x]", "\x1b[2J", "$\\frac{", "a|b", "<script>", "caf\udce9", "\u202egnp", "=1+1", "&#"]


@given(st.text())
def test_what_is_plain_is_on_one_line_and_seen(name: str) -> None:
    told = plain(name)
    assert "\n" not in told and "\x1b" not in told and "\u202e" not in told
    told.encode()
    assert all(letter.isprintable() or letter.isspace() for letter in told)


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("S1", "Zoë", "été 2", "山田", "cssl-da", "a_b.png", "–", "25 °C"):
        assert plain(name) == name
    assert plain(os.fsdecode(b"caf\xe9")) == "caf\\xe9" and plain_lines("a\nb\x07") == "a\nb\\x07"


def table(name: str) -> Table:
    return Table("key", name, (Column(name), Column("b")), ((words(name), Cell(1.0)),), name)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_format_of_a_table_is_broken_by_a_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    marked = to_markdown(table(name))
    rows = marked.strip().splitlines()
    assert len(rows) == 3 and all(row.replace("\\|", "").count("|") == 3 for row in rows)
    assert "<script" not in marked
    assert len(to_csv(table(name)).splitlines()) == 2 and not to_csv(table(name)).startswith("=")
    assert "\x1b" not in to_latex(table(name)) and "$\\frac{" not in to_latex(table(name))
    print_table(name, [name, "b"], [[name, "1"]])
    printed = capsys.readouterr().out
    assert "\x1b[2J" not in printed and plain(name)[:2] in printed
