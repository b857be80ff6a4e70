"""report.html: one file that opens offline, made from templates that lie in page/."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from dpa.engine.analysis.registry import FigureSpec
from dpa.engine.analysis.values import Cell, Column, Source, Table
from dpa.engine.attack.summary import data_note
from dpa.engine.report.figures import commands_of_figure, missing_of
from dpa.engine.report.findings import Findings
from dpa.engine.report.page_tables import PageTable
from dpa.engine.report.renderers import SLIP, text
from dpa.engine.report.sections import SECTIONS, headline
from dpa.engine.report.verdicts import of_figure
from dpa.engine.report.viewer import png_uri, svg_uri, viewer_data

TEMPLATES = Path(__file__).parent / "page"

SCREEN = 0.66
"""Pixels on the screen for each pixel of a drawing's PNG: text is then as large as the page's."""

FEW = 4
"""Columns that a phone shows side by side: a row of more becomes a card there."""

MANY = 7
"""Columns above which a table is set closer, its cells in more than one line."""

MOST_SVG = 250_000
"""Bytes above which a drawing is embedded as pixels."""

CLASSES = {Source.OURS: "ours", Source.PAPER: "paper", Source.RECOMPUTED: "recomputed", None: ""}
"""CSS classes of the columns."""


@dataclass(frozen=True)
class HtmlCell:
    """text: as printed. kind: CSS classes. marks: data- attributes that name the figure it prints. label:
    whose figure it is, for a card. beside: the paper's figure, where it stands under ours."""

    text: str
    kind: str
    marks: Mapping[str, str]
    label: str = ""
    beside: str = ""


@dataclass(frozen=True)
class DrawnFigure:
    """spec, stage: what it is, and whose results. png, svg: its files, None where no network belongs in it.
    drawn: whether frames are in it."""

    spec: FigureSpec
    stage: str
    png: Path | None
    svg: Path | None
    drawn: bool


def page_html(
    findings: Findings,
    results: Mapping[str, Any],
    tables: Mapping[str, PageTable],
    figures: Sequence[DrawnFigure],
    images: bool,
) -> str:
    """The whole page."""
    surroundings = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return surroundings.get_template("page.html.j2").render(
        headline=headline(findings),
        note=data_note(findings.source),
        findings=findings,
        images=images,
        tables={key: table_context(one, results) for key, one in tables.items()},
        sections=SECTIONS,
        figures=[figure_context(one, findings, images) for one in figures],
        style=_part("page.css"),
        script=_part("viewer.js"),
        viewer=_json(viewer_data(findings, images)),
        results=_json(results),
        stages=findings.note["stages"],
        versions=findings.note["versions"],
        device=findings.note["device"],
    )


def _part(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text())


def _json(value: object) -> Markup:
    """JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def table_context(one: PageTable, results: Mapping[str, Any]) -> dict[str, Any]:
    """What the template of a table is given."""
    verdicts = [_verdict(line) for line in results["verdicts"].get(one.table.key, ())]
    made = one.table
    shown = shown_columns(made)
    rows = [
        [
            _cell(made.columns[place], row[place], None if paper is None else row[paper], results)
            for place, paper in shown
        ]
        for row in made.rows
    ]
    heads = [
        HtmlCell(
            made.columns[place].heading,
            CLASSES[made.columns[place].source],
            {},
            beside="" if paper is None else "paper",
        )
        for place, paper in shown
    ]
    return {
        "cards": len(shown) > FEW,
        "many": len(shown) > MANY,
        "key": made.key,
        "title": made.title,
        "note": made.note,
        "heads": heads,
        "rows": rows,
        "commands": one.commands,
        "verdicts": verdicts,
    }


def shown_columns(table: Table) -> list[tuple[int, int | None]]:
    """The columns that the page shows, each with the paper's column whose figures stand under its own: "NSD,
    paper" is no column of its own beside one "NSD, ours"."""
    under = {place: column.counterpart(table.columns) for place, column in enumerate(table.columns)}
    taken = set(under.values())
    return [(place, paper) for place, paper in under.items() if place not in taken]


def _cell(column: Column, cell: Cell, paper: Cell | None, results: Mapping[str, Any]) -> HtmlCell:
    kinds = [CLASSES[column.source], "slip" if cell.slip else ""]
    kinds += ["absent"] if cell.source is None and cell.words == "missing" else []
    label = column.of if column.source is Source.OURS and not column.part else column.heading
    beside = "" if paper is None or paper.empty else _unbroken(text(paper))
    kind = " ".join(one for one in kinds if one)
    return HtmlCell(_unbroken(text(cell)), kind, _marks(cell, results), label, beside)


def _verdict(line: str) -> tuple[str, str]:
    """The verdict, and what follows it."""
    verdict, _, told = line.partition(": ")
    return verdict, told


def _unbroken(words: str) -> str:
    """A sign stays on the line of its number."""
    return words.replace(" %", "\u00a0%").replace(SLIP, f"\u00a0{SLIP.strip()}")


def _marks(cell: Cell, results: Mapping[str, Any]) -> dict[str, str]:
    """Of a figure that results.json has under frameworks.NETWORK.KEY."""
    if not cell.command or cell.key not in results["frameworks"].get(cell.network, {}):
        return {}
    value = results["frameworks"][cell.network][cell.key]
    told = "" if value is None else repr(value)
    return {
        "data-network": cell.network,
        "data-figure": cell.key,
        "data-value": told,
        "title": cell.command,
    }


def figure_context(one: DrawnFigure, findings: Findings, images: bool) -> dict[str, Any]:
    """What the template of a figure is given."""
    uri, width = None, 0
    if one.png is not None and one.svg is not None:
        with Image.open(one.png) as drawing:
            width = round(drawing.width * SCREEN)
        svg = one.svg.read_bytes()
        small = len(svg) <= MOST_SVG and not one.drawn
        uri = svg_uri(svg) if small else png_uri(one.png.read_bytes())
    spec = one.spec
    return {
        "key": spec.key,
        "section": spec.section,
        "heading": spec.heading,
        "caption": spec.caption,
        "uri": uri,
        "width": width,
        "frames": one.drawn,
        "left_out": spec.frames and not images,
        "missing": missing_of(spec, findings),
        "verdicts": [_verdict(line) for line in of_figure(spec, findings)],
        "commands": commands_of_figure(spec, one.stage, findings),
    }
