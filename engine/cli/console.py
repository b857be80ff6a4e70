"""Tables on stdout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dpa.models.names import plain

if TYPE_CHECKING:
    from dpa.engine.analysis.values import Table as ValueTable


def show_table(table: "ValueTable") -> None:
    """A table of values on stdout, its note below it."""
    from dpa.engine.report.renderers import headings, lines

    print_table(table.title, headings(table), lines(table))
    if table.note:
        Console().print(f"{table.note}\n", highlight=False, markup=False, soft_wrap=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; the first column is a name, the others are figures."""
    table = Table(title=Text(plain(title)), title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(Text(plain(column)), justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))  # as text: a name is no markup
    Console().print(table)
