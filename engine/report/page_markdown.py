"""report.md of a reproduction: the page's twin for terminals and repositories."""

from collections.abc import Mapping, Sequence

from dpa.engine.attack.summary import data_note
from dpa.engine.report.findings import Findings
from dpa.engine.report.markdown import markdown_table
from dpa.engine.report.page import DrawnFigure
from dpa.engine.report.page_figures import commands_of_figure, missing_of
from dpa.engine.report.whole_tables import PageTable
from dpa.engine.report.words import SECTIONS, headline


def page_markdown(findings: Findings, tables: Mapping[str, PageTable], figures: Sequence[DrawnFigure]) -> str:
    """The same sections, tables and figures in the same order."""
    parts = ["# How far are pose and appearance disentangled?", headline(findings)]
    parts.append(f"> {data_note(findings.source)}")
    parts += [f"Missing: {one['title']}. Build it with `{one['command']}`." for one in findings.missing]
    parts.append(_table(tables["summary"]))
    for section in SECTIONS:
        parts += [f"## {section.title}", section.lead]
        parts += [_table(tables[key]) for key in section.tables if key in tables]
        parts += [_figure(one, findings) for one in figures if one.spec.section == section.key]
    return "\n\n".join(parts) + "\n"


def _table(one: PageTable) -> str:
    made = one.table
    text = f"### {made.title}\n\n{markdown_table(made.columns, made.rows)}\n{made.note}"
    return f"{text}\n\n{_commands(one.commands)}"


def _figure(one: DrawnFigure, findings: Findings) -> str:
    spec = one.spec
    number = "" if spec.number is None else f"Figure {spec.number}. "
    lines = [f"### {number}{spec.title}"]
    if one.png is not None:
        lines.append(f"![{number}{spec.title}](figures/{spec.key}.png)")
    lines.append(spec.caption)
    lines += [f"Missing here: `{command}`" for command in missing_of(spec, findings)]
    commands = commands_of_figure(spec, findings)
    return "\n\n".join([*lines, _commands(commands)] if commands else lines)


def _commands(commands: Sequence[str]) -> str:
    return "\n".join(["```sh", *commands, "```"])
