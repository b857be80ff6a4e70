"""dpa.engine: what runs: sessions, the attack, analyses, run directories, reports, the command line.

The names of `dpa` are here too (`from dpa.engine import appearance_attack`), but for those that are rooms of
this package: `dpa.engine.attack` is the room, `dpa.attack` the function.
"""

from typing import TYPE_CHECKING

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.engine (the folder 'engine' is part of the package 'dpa')")

if TYPE_CHECKING:
    from dpa.engine.api import *  # noqa: F403

ROOMS = frozenset({"attack", "reproduce"})


def __getattr__(name: str) -> object:
    """The public names, each imported from its home when it is first asked for."""
    if not name.startswith("_") and name not in ROOMS:
        from dpa.engine.api import HOMES, public

        if name in HOMES:
            globals()[name] = value = public(name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from dpa.engine.api import HOMES

    return sorted({*globals(), *HOMES} - ROOMS)
