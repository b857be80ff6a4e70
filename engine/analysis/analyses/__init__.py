"""One module an analysis: its settings, function, measures and figures. Each holds `ANALYSIS`, its record."""

import pkgutil
from functools import cache

PAPERS_ORDER = ("swap", "zero", "tsne", "channels", "sweep", "dc", "iob")
"""In the order of the paper; what goes beyond it follows."""


@cache
def names() -> tuple[str, ...]:
    """Every analysis of the project, in the paper's order; nothing is imported."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(found, key=lambda one: PAPERS_ORDER.index(one) if one in PAPERS_ORDER else 99))
