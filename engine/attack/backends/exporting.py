"""Where the compiled step's graph comes from. The engine imports nothing of the room that exports
(DESIGN), so that room offers its exporter here when it is imported."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dpa.engine.attack.objective import Objective


class GradientExporter(Protocol):
    """Makes value and gradient of an objective into one graph and keeps it."""

    def graph(self, objective: "Objective", /) -> bytes:
        """The serialised graph (see dpa.export.gradient); takes seconds unless it is kept already."""
        ...

    def kept(self, objective: "Objective", /) -> bool:
        """Whether `graph` has it at once."""
        ...


_offered: list[Callable[[], GradientExporter]] = []


def offer_exporter(make: Callable[[], GradientExporter]) -> None:
    """`exporter` calls `make` from now on: importing the room that offers stays light."""
    _offered[:] = [make]


def exporter() -> GradientExporter | None:
    """The one that was offered last; None before dpa.export is imported."""
    return _offered[0]() if _offered else None
