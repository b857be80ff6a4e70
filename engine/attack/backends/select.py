"""From a back-end's name to the back-end."""

from torch import Tensor

from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.backends.fused import FusedStep
from dpa.engine.attack.backends.protocol import StepBackend
from dpa.engine.attack.buckets import bucket_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.roles import Generator, Target

CPU_ROWS = 32
"""Samples that a CPU computes at once, however many are in flight: their activations stay small."""


def make_backend(generator: Generator, target: Target, plates: Tensor, config: AttackConfig) -> StepBackend:
    """The back-end that `config.backend` names, for batches of at most `config.batch`."""
    objective = Objective(generator, target, plates, config.freeze_box, config.clamp)
    kind = {"eager": EagerStep, "fused": FusedStep}[config.backend]
    largest = min(config.batch, CPU_ROWS) if plates.device.type == "cpu" else config.batch
    return kind(objective, bucket_sizes(largest))
