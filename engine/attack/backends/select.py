"""From a back-end's name to the back-end that can run these networks."""

import logging

from torch import Tensor

from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.backends.fused import FusedStep
from dpa.engine.attack.backends.protocol import StepBackend
from dpa.engine.attack.buckets import step_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.roles import Generator, Target
from dpa.engine.attack.surrogate import climbed_target
from dpa.models.frameworks.foreign import ForeignNetwork

log = logging.getLogger(__name__)


def make_backend(generator: Generator, target: Target, plates: Tensor, config: AttackConfig) -> StepBackend:
    """The back-end that `config.backend` names, for batches of at most `config.batch`."""
    target = climbed_target(generator, target)
    objective = Objective(generator, target, plates, config.freeze_box, config.clamp)
    kind = {"eager": EagerStep, "fused": FusedStep}[config.backend]
    if kind is not EagerStep and (foreign := _foreign(generator, target)):
        log.warning("step: eager, as %s does not know the inside of %s", config.backend, foreign)
        kind = EagerStep
    return kind(objective, step_sizes(config.batch, plates.device))


def _foreign(*networks: Generator | Target) -> str:
    """The name of the first network that is not the project's own, "" where there is none."""
    return next((network.framework for network in networks if isinstance(network, ForeignNetwork)), "")
