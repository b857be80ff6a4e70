"""Markdown tables."""

from collections.abc import Sequence


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]], words: bool = False) -> str:
    """A table whose first column is left-aligned and whose others are right-aligned, as figures are; with
    `words` all are left-aligned."""
    lines = [columns, [":--", *[":--" if words else "--:"] * (len(columns) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def figure_text(value: object, digits: int = 1) -> str:
    """A number with so many digits after the point; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
