"""What `dpa` offers in Python: `from dpa import attack, analyze, load_network`. Nothing is imported until it
is asked for, so that the command line answers at once."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpa.engine.analysis.config import AnalyzeConfig
    from dpa.engine.analysis.measures import Measure, Scale
    from dpa.engine.analysis.registry import Analysis, FigureSpec
    from dpa.engine.analysis.study import Outcome
    from dpa.engine.api.attack import FinishedAttack, attack
    from dpa.engine.api.commands import (
        Predictions,
        analyze,
        evaluate,
        export_engines,
        fit_regressor,
        predict,
        reproduce,
        train,
    )
    from dpa.engine.attack.algorithm import appearance_attack
    from dpa.engine.attack.config import AttackConfig, AttackRunConfig
    from dpa.engine.attack.state import AttackResult
    from dpa.engine.evaluation_set import Samples, default_evaluation_set, take_samples
    from dpa.engine.framework_check.contract import check_network
    from dpa.engine.reproduce.config import ReproduceConfig
    from dpa.export.build import BuildReport
    from dpa.export.config import ExportConfig
    from dpa.models.data.store import PackedStore
    from dpa.models.data.synthetic.generate import SynthConfig, generate
    from dpa.models.data.synthetic.generate import generate as synthesise
    from dpa.models.training.checkpoint import load_network
    from dpa.models.training.config import TrainConfig
    from dpa.models.training.regressor_fit import RegressorConfig
    from dpa.models.training.validation import Validation

HOMES = {
    "Analysis": "dpa.engine.analysis.registry",
    "AnalyzeConfig": "dpa.engine.analysis.config",
    "AttackConfig": "dpa.engine.attack.config",
    "AttackResult": "dpa.engine.attack.state",
    "AttackRunConfig": "dpa.engine.attack.config",
    "BuildReport": "dpa.export.build",
    "ExportConfig": "dpa.export.config",
    "FigureSpec": "dpa.engine.analysis.registry",
    "FinishedAttack": "dpa.engine.api.attack",
    "Measure": "dpa.engine.analysis.measures",
    "Outcome": "dpa.engine.analysis.study",
    "PackedStore": "dpa.models.data.store",
    "Predictions": "dpa.engine.api.commands",
    "RegressorConfig": "dpa.models.training.regressor_fit",
    "ReproduceConfig": "dpa.engine.reproduce.config",
    "Samples": "dpa.engine.evaluation_set",
    "Scale": "dpa.engine.analysis.measures",
    "SynthConfig": "dpa.models.data.synthetic.generate",
    "TrainConfig": "dpa.models.training.config",
    "Validation": "dpa.models.training.validation",
    "analyze": "dpa.engine.api.commands",
    "appearance_attack": "dpa.engine.attack.algorithm",
    "attack": "dpa.engine.api.attack",
    "check_network": "dpa.engine.framework_check.contract",
    "default_evaluation_set": "dpa.engine.evaluation_set",
    "evaluate": "dpa.engine.api.commands",
    "export_engines": "dpa.engine.api.commands",
    "fit_regressor": "dpa.engine.api.commands",
    "generate": "dpa.models.data.synthetic.generate",
    "load_network": "dpa.models.training.checkpoint",
    "predict": "dpa.engine.api.commands",
    "reproduce": "dpa.engine.api.commands",
    "synthesise": "dpa.models.data.synthetic.generate:generate",
    "take_samples": "dpa.engine.evaluation_set",
    "train": "dpa.engine.api.commands",
}
"""Public name → its module, and after a colon its name there where that is another."""

__all__ = [
    "Analysis",
    "AnalyzeConfig",
    "AttackConfig",
    "AttackResult",
    "AttackRunConfig",
    "BuildReport",
    "ExportConfig",
    "FigureSpec",
    "FinishedAttack",
    "Measure",
    "Outcome",
    "PackedStore",
    "Predictions",
    "RegressorConfig",
    "ReproduceConfig",
    "Samples",
    "Scale",
    "SynthConfig",
    "TrainConfig",
    "Validation",
    "analyze",
    "appearance_attack",
    "attack",
    "check_network",
    "default_evaluation_set",
    "evaluate",
    "export_engines",
    "fit_regressor",
    "generate",
    "load_network",
    "predict",
    "reproduce",
    "synthesise",
    "take_samples",
    "train",
]


def public(name: str) -> object:
    """What a public name stands for, imported from its home. Raises KeyError for any other name."""
    module, _, inner = HOMES[name].partition(":")
    value: object = getattr(import_module(module), inner or name)
    return value


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return public(name)
