"""From a back-end's name to the back-end."""

from torch import Tensor

from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.backends.fused import FusedStep
from dpa.engine.attack.backends.protocol import StepBackend
from dpa.engine.attack.buckets import step_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.roles import Generator, Target


def make_backend(generator: Generator, target: Target, plates: Tensor, config: AttackConfig) -> StepBackend:
    """The back-end that `config.backend` names, for batches of at most `config.batch`."""
    objective = Objective(generator, target, plates, config.freeze_box, config.clamp)
    kind = {"eager": EagerStep, "fused": FusedStep}[config.backend]
    return kind(objective, step_sizes(config.batch, plates.device))
