"""dpa.engine: what runs: sessions, the attack, analyses, run directories, reports, the command line.

From Python: `from dpa.engine import appearance_attack, analyze, load_network`. Nothing is imported until it
is asked for, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.engine (the folder 'engine' is part of the package 'dpa')")

if TYPE_CHECKING:
    from dpa.engine.analysis.config import AnalyzeConfig
    from dpa.engine.analysis.measures import Measure, Scale
    from dpa.engine.analysis.registry import Analysis, FigureSpec
    from dpa.engine.analysis.study import Outcome
    from dpa.engine.api.analyze import analyze
    from dpa.engine.attack.algorithm import appearance_attack
    from dpa.engine.attack.config import AttackConfig
    from dpa.engine.attack.state import AttackResult
    from dpa.engine.evaluation_set import Samples, default_evaluation_set, take_samples
    from dpa.engine.framework_check.contract import check_network
    from dpa.models.data.store import PackedStore
    from dpa.models.data.synthetic.generate import SynthConfig, generate
    from dpa.models.training.checkpoint import load_network

_HOME = {
    "Analysis": "dpa.engine.analysis.registry",
    "AnalyzeConfig": "dpa.engine.analysis.config",
    "AttackConfig": "dpa.engine.attack.config",
    "AttackResult": "dpa.engine.attack.state",
    "FigureSpec": "dpa.engine.analysis.registry",
    "Measure": "dpa.engine.analysis.measures",
    "Outcome": "dpa.engine.analysis.study",
    "PackedStore": "dpa.models.data.store",
    "Samples": "dpa.engine.evaluation_set",
    "Scale": "dpa.engine.analysis.measures",
    "SynthConfig": "dpa.models.data.synthetic.generate",
    "analyze": "dpa.engine.api.analyze",
    "appearance_attack": "dpa.engine.attack.algorithm",
    "check_network": "dpa.engine.framework_check.contract",
    "default_evaluation_set": "dpa.engine.evaluation_set",
    "generate": "dpa.models.data.synthetic.generate",
    "load_network": "dpa.models.training.checkpoint",
    "take_samples": "dpa.engine.evaluation_set",
}

__all__ = [
    "Analysis",
    "AnalyzeConfig",
    "AttackConfig",
    "AttackResult",
    "FigureSpec",
    "Measure",
    "Outcome",
    "PackedStore",
    "Samples",
    "Scale",
    "SynthConfig",
    "analyze",
    "appearance_attack",
    "check_network",
    "default_evaluation_set",
    "generate",
    "load_network",
    "take_samples",
]


def __getattr__(name: str) -> object:
    """The public names, each imported from its home when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
