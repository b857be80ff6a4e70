"""dpa.engine.analysis: what the two codes hold. Each analysis is one module of `analyses/`; `registry.py`
says what its record holds. Here are only their names, for whoever must not import them all."""

import pkgutil
from functools import cache
from pathlib import Path

PAPERS_ORDER = ("swap", "zero", "tsne", "channels", "sweep", "dc", "iob")
"""In the order of the paper; what goes beyond it follows."""


@cache
def names() -> tuple[str, ...]:
    """Every analysis of the project, in the paper's order; nothing is imported."""
    found = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "analyses")]))
    return tuple(sorted(found, key=lambda one: PAPERS_ORDER.index(one) if one in PAPERS_ORDER else 99))


BY_REQUEST = ("curve",)
"""Made only where they are asked for by name: six attacks on each network take longer than all the others."""


def usual() -> tuple[str, ...]:
    """What is made where nothing is named."""
    return tuple(name for name in names() if name not in BY_REQUEST)
