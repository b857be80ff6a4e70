"""Tables of values as text, one renderer a format; the terminal's is `cli/console.py`. Only here do figures
become words."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pylatexenc.latexencode import unicode_to_latex
from tabulate import tabulate

from dpa.engine.analysis.values import Cell, Table
from dpa.models.names import plain

DASH = "–"
SLIP = " †"
"""Behind a figure that the paper prints though it does not follow from its own cells."""


def text(cell: Cell) -> str:
    """A cell as every format prints it."""
    if cell.words is not None:
        return plain(cell.words)
    parts = [] if cell.interval is None else [_interval(cell)]
    if cell.value is None and parts and cell.after is None:
        return parts[0]
    if cell.after is not None:
        before, after = replace(cell, after=None, slip=False, aside=None), cell.after
        told = f"{text(before)} → {text(after)}{SLIP if cell.slip else ''}"
        return told if cell.aside is None or cell.aside.empty else f"{told} ({text(cell.aside)})"
    told = figure_text(None if cell.value is None else cell.value * cell.factor, cell.digits)
    if cell.value is not None:
        told += "" if cell.spread is None else f" ± {_digits(cell.spread * cell.factor, cell.digits)}"
        told += f" {cell.unit}" if cell.named else ""
    told += SLIP if cell.slip else ""
    if cell.aside is not None and not cell.aside.empty:
        parts.append(text(cell.aside))
    return f"{told} ({'; '.join(parts)})" if parts and cell.value is not None else told


def figure_text(value: float | None, digits: int | None = 1) -> str:
    """A number with so many digits after the point, or as it is written; a dash where there is none."""
    return DASH if value is None else _digits(value, digits)


def _digits(value: float, digits: int | None) -> str:
    return f"{value:g}" if digits is None else f"{value:.{digits}f}"


def _interval(cell: Cell) -> str:
    low, high = (_digits(end * cell.factor, cell.digits) for end in cell.interval or ())
    return f"{low} to {high}"


def headings(table: Table) -> list[str]:
    """Those of the columns."""
    return [plain(column.heading) for column in table.columns]


def lines(table: Table) -> list[list[str]]:
    """Its cells as text, row by row."""
    return [[text(cell) for cell in row] for row in table.rows]


def to_markdown(table: Table, *, prose: bool = False) -> str:
    """A pipe table whose first column is left-aligned and whose others are right-aligned, as figures are;
    with `prose` all are left-aligned."""
    return markdown_rows(headings(table), lines(table), prose=prose)


def markdown_rows(heads: Sequence[str], rows: Sequence[Sequence[str]], *, prose: bool = False) -> str:
    """The same of cells that are text already."""
    escaped = [[markdown_text(cell) for cell in row] for row in (heads, *rows)]
    aligned = ["left", *["left" if prose else "right"] * (len(heads) - 1)]
    return tabulate(escaped[1:], escaped[0], tablefmt="pipe", colalign=aligned, disable_numparse=True) + "\n"


def markdown_text(words: str) -> str:
    """Words, names above all, as a Markdown table can hold them: no cell ends early, no tag begins."""
    return plain(words).replace("|", "\\|").replace("<", "&lt;")


def to_csv(table: Table) -> str:
    """Columns, then rows, as RFC 4180 has it but with plain line ends."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_no_formula, headings(table)))
    for row in table.rows:
        writer.writerow([text(cell) if cell.words is None else _no_formula(text(cell)) for cell in row])
    return file.getvalue()


def _no_formula(words: str) -> str:
    """A name that a spreadsheet would take for a formula, as text."""
    return f"'{words}" if words.startswith(("=", "+", "@")) else words


def to_latex(table: Table) -> str:
    """A table environment; needs \\usepackage{booktabs}. The title and the note are its caption."""
    rows = tabulate(
        lines(table),
        headings(table),
        tablefmt="latex_booktabs",
        colalign=["left", *["right"] * (len(table.columns) - 1)],
        disable_numparse=True,
    )
    caption = unicode_to_latex(plain(f"{table.title}. {table.note}"))
    body = unicode_to_latex(rows, non_ascii_only=True)
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{caption}}}\n\\label{{tab:{table.key}}}\n{body}\n"
        "\\end{table}\n"
    )


FILES: Mapping[str, Callable[[Table], str]] = {"csv": to_csv, "tex": to_latex, "md": to_markdown}
"""By the ending of the file."""
