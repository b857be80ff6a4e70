"""Values that stay values until they are printed: cells that know their figure, its interval, its unit and
whose it is, and tables of them. `report/renderers.py` makes text of them, one renderer a format."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

Interval = tuple[float, float]
"""A 95 % interval, lower and upper end."""


class Source(StrEnum):
    """Whose figure it is: measured here, as the paper prints it, or what the paper's own cells come to."""

    OURS = "ours"
    PAPER = "paper"
    RECOMPUTED = "paper, recomputed"


@dataclass(frozen=True)
class Cell:
    """One cell. value: None where there is no finite one. digits: after the point; None: as it is written.
    unit: "%" for a share, which is printed times 100; "mm", "dB". named: whether the unit stands in the cell,
    as the heading has it not. interval: in the value's own unit. spread: a standard deviation, likewise.
    slip: as the paper prints it, though it does not follow from the paper's own cells. after: what the value
    became. aside: what stands in brackets. words: in place of a value. key, network: the figure's name in
    results.json and whose it is. command: what prints it again."""

    value: float | None = None
    digits: int | None = 1
    unit: str = ""
    named: bool = False
    interval: Interval | None = None
    spread: float | None = None
    source: Source | None = None
    slip: bool = False
    after: "Cell | None" = None
    aside: "Cell | None" = None
    words: str | None = None
    key: str = ""
    network: str = ""
    command: str = ""

    @property
    def empty(self) -> bool:
        """Whether it has nothing to say."""
        return self.words is None and self.value is None and (self.after is None or self.after.empty)

    @property
    def factor(self) -> float:
        """What values are multiplied by when they are printed."""
        return 100.0 if self.unit == "%" else 1.0

    def beside(self, aside: "Cell | None") -> Self:
        """The same with another cell in brackets."""
        return replace(self, aside=aside)


def words(text: str) -> Cell:
    """A cell of words: a name, a verdict, a command."""
    return Cell(words=text)


def number(
    value: float | None,
    digits: int | None = 1,
    unit: str = "",
    *,
    interval: Interval | None = None,
    **more: object,
) -> Cell:
    """A cell of ours; no value and no interval where they are not finite. more: further fields of `Cell`."""
    finite = value is not None and math.isfinite(value)
    known = interval is not None and all(map(math.isfinite, interval))
    fields = {"source": Source.OURS, "interval": interval if known else None, **more}
    return Cell(value if finite else None, digits, unit, **fields)  # type: ignore[arg-type]


def count(value: int) -> Cell:
    """How many."""
    return Cell(value, digits=0, source=Source.OURS)


def printed(value: float | None, digits: int | None = None, unit: str = "", *, slip: bool = False) -> Cell:
    """A cell of the paper's, as it prints it."""
    return Cell(value, digits, unit, source=Source.PAPER, slip=slip)


def pair(before: Cell, after: Cell) -> Cell:
    """before → after."""
    return replace(before, after=after)


NOTHING = Cell()
"""A dash."""


@dataclass(frozen=True)
class Column:
    """of: whose figures, or what they say. source: where they are from, None where that is no question. part:
    which part of them, where there are several."""

    of: str
    source: Source | None = None
    part: str = ""

    @property
    def heading(self) -> str:
        """As tables have it."""
        ending = self.part or self.source
        return f"{self.of}, {ending}" if ending else self.of

    def counterpart(self, columns: "Sequence[Column]") -> int | None:
        """The place of the paper's column that stands under this one of ours on a page: of the same name."""
        paper = Column(self.of, Source.PAPER)
        ours = self.source is Source.OURS and not self.part
        return list(columns).index(paper) if ours and paper in columns else None


@dataclass(frozen=True)
class Table:
    """key: its name in files, on the page and for programs. rows: the first cell of each is its name. note:
    what a reader must know to read the figures (protocol, units, number of samples). ValueError for a row of
    another length than the columns'."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            lengths = [len(row) for row in self.rows]
            raise ValueError(f"{self.title}: rows of {lengths} cells under {len(self.columns)} columns")


def table(
    key: str,
    title: str,
    columns: Sequence[Column | str],
    rows: Iterable[Sequence[Cell | str]],
    note: str = "",
) -> Table:
    """A Table from any sequences; strings stand for columns and cells of words."""
    return Table(
        key,
        title,
        tuple(Column(one) if isinstance(one, str) else one for one in columns),
        tuple(tuple(words(cell) if isinstance(cell, str) else cell for cell in row) for row in rows),
        note,
    )
