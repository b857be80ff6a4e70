"""A table as text: what every analysis prints, and what the report lays out again."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """The first column is a name, the others are figures, already rounded. note: what a reader must know
    to read the figures (protocol, units, number of samples)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def csv(self) -> str:
        """Columns, then rows, as RFC 4180 has it but with plain line ends."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Table:
    """A Table from any sequences. ValueError for a row of another length."""
    if any(len(row) != len(columns) for row in rows):
        raise ValueError(f"{title}: rows of {[len(row) for row in rows]} cells under {len(columns)} columns")
    return Table(title, tuple(columns), tuple(tuple(row) for row in rows), note)
