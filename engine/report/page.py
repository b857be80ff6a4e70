"""report.html: one file that opens offline, made from templates that lie in page/."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from dpa.engine.attack.summary import data_note
from dpa.engine.report.findings import Findings
from dpa.engine.report.page_figures import FigureSpec, commands_of_figure, missing_of
from dpa.engine.report.run_words import DASH
from dpa.engine.report.viewer import png_uri, svg_uri, viewer_data
from dpa.engine.report.whole_tables import SLIP, SUMMARY, PageTable
from dpa.engine.report.words import SECTIONS, headline

TEMPLATES = Path(__file__).parent / "page"

SCREEN = 0.66
"""Pixels on the screen for each pixel of a drawing's PNG: text is then as large as the page's."""

OURS, PAPER = ", ours", ", paper"

FEW = 4
"""Columns that a phone shows side by side: a row of more becomes a card there."""

MANY = 7
"""Columns above which a table is set closer, its cells in more than one line."""

MOST_SVG = 250_000
"""Bytes above which a drawing is embedded as pixels."""


@dataclass(frozen=True)
class Cell:
    """text: as printed. kind: CSS classes. marks: data- attributes that name the figure it prints. label:
    whose figure it is, for a card. beside: the paper's figure, where it stands under ours."""

    text: str
    kind: str
    marks: Mapping[str, str]
    label: str = ""
    beside: str = ""


@dataclass(frozen=True)
class DrawnFigure:
    """spec: what it is. png, svg: its files, None where no network belongs in it. drawn: whether frames are
    in it."""

    spec: FigureSpec
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
    made = one.table
    shown = shown_columns(made.columns)
    rows = []
    for number, row in enumerate(made.rows):
        cells = []
        for place, paper in shown:
            column, text = made.columns[place], row[place]
            marks, label = _marks(one.key, number, column, results), column.removesuffix(OURS)
            beside = "" if paper is None or row[paper] == DASH else _unbroken(row[paper])
            cells.append(Cell(_unbroken(text), _kind(column, text), marks, label, beside))
        rows.append(cells)
    heads = [
        Cell(made.columns[place], _kind(made.columns[place], ""), {}, beside="" if paper is None else "paper")
        for place, paper in shown
    ]
    return {
        "cards": len(shown) > FEW,
        "many": len(shown) > MANY,
        "key": one.key,
        "title": made.title,
        "note": made.note,
        "heads": heads,
        "rows": rows,
        "commands": one.commands,
    }


def shown_columns(columns: Sequence[str]) -> list[tuple[int, int | None]]:
    """The columns that the page shows, each with the paper's column whose figures stand under its own: "NSD,
    paper" is no column of its own beside one "NSD, ours"."""
    place_of = {column: place for place, column in enumerate(columns)}
    with_ours = {
        place_of.get(column.removesuffix(OURS) + PAPER) for column in columns if column.endswith(OURS)
    }
    return [
        (place, place_of.get(column.removesuffix(OURS) + PAPER) if column.endswith(OURS) else None)
        for place, column in enumerate(columns)
        if place not in with_ours
    ]


def _unbroken(text: str) -> str:
    """A sign stays on the line of its number."""
    return text.replace(" %", "\u00a0%").replace(SLIP, f"\u00a0{SLIP.strip()}")


def _kind(column: str, text: str) -> str:
    kinds = [
        name
        for name, endings in (("paper", PAPER), ("ours", (OURS, ", frame", ", box")))
        if column.endswith(endings)
    ]
    kinds += ["slip"] if SLIP.strip() in text else []
    kinds += ["absent"] if text == "missing" else []
    return " ".join(kinds)


def _marks(key: str, number: int, column: str, results: Mapping[str, Any]) -> dict[str, str]:
    if key != "summary" or not column.endswith(OURS):
        return {}
    titles: Mapping[str, str] = results["titles"]
    name = titles.get(column.removesuffix(OURS))
    if name is None:
        return {}
    measure = SUMMARY[number].key
    value = results["frameworks"][name][measure]
    told = "" if value is None else repr(value)
    command = results["commands"][name][measure]
    return {"data-network": name, "data-figure": measure, "data-value": told, "title": command}


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
        "heading": spec.title if spec.number is None else f"Figure {spec.number}. {spec.title}",
        "caption": spec.caption,
        "uri": uri,
        "width": width,
        "frames": one.drawn,
        "left_out": spec.frames and not images,
        "missing": missing_of(spec, findings),
        "commands": commands_of_figure(spec, findings),
    }
