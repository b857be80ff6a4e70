"""dpa.models.frameworks: one file a framework (its objective); base.py is what all of them offer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpa.models.frameworks.objective import Objective
    from dpa.models.training.config import TrainConfig


def make_objective(config: "TrainConfig") -> "Objective":
    """The objective that a training configuration names."""
    from dpa.models.frameworks.nsd import NSD

    return NSD(config.weights, config.swap_appearance)
