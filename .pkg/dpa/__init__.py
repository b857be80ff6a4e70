"""dpa: how far pose and appearance are disentangled in self-supervised 3D human pose networks.

`from dpa import attack, analyze, load_network`; the whole list is in `dpa.engine.api`. The sub-packages are
symbolic links to the repository's top-level folders, so that the house keeps its rooms at the top while the
import package has a name of its own.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpa.engine.api import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """The public names, each imported from its home when it is first asked for."""
    if not name.startswith("_"):
        from dpa.engine.api import HOMES, public

        if name in HOMES:
            globals()[name] = value = public(name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from dpa.engine.api import HOMES

    return sorted({*globals(), *HOMES})
