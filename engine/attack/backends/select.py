"""From a back-end's name to the back-end that can run these networks."""

import logging
from collections.abc import Callable

from torch import Tensor

from dpa.engine.attack.backends.auto import AutoStep, fastest
from dpa.engine.attack.backends.compiled import compiled_step
from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.backends.exporting import exporter
from dpa.engine.attack.backends.fused import FusedStep
from dpa.engine.attack.backends.graphed import GraphedStep
from dpa.engine.attack.backends.protocol import StepBackend
from dpa.engine.attack.buckets import step_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.roles import Generator, Target
from dpa.engine.attack.surrogate import climbed_target
from dpa.models.errors import DpaError
from dpa.models.frameworks.base import DisentangledNetwork

log = logging.getLogger(__name__)


def make_backend(generator: Generator, target: Target, plates: Tensor, config: AttackConfig) -> StepBackend:
    """The back-end that `config.backend` names, for batches of at most `config.batch`."""
    target = climbed_target(generator, target)
    objective = Objective(generator, target, plates, config.freeze_box, config.clamp)
    sizes = step_sizes(config.batch, plates.device)
    if config.backend != "eager" and (foreign := _foreign(generator, target)):
        log.warning("step: eager, as %s does not know the inside of %s", config.backend, foreign)
        return EagerStep(objective, sizes)
    return BACKENDS[config.backend](objective, sizes)


def automatic(objective: Objective, sizes: tuple[int, ...]) -> AutoStep:
    """The fastest (see auto.MARGIN) of eager, fused, and compiled where its graph is in the cache already
    (`compiled` puts it there; exporting takes longer than most attacks) and is admitted."""
    candidates: dict[str, StepBackend] = {"eager": EagerStep(objective, sizes)}
    makers: dict[str, Callable[[Objective, tuple[int, ...]], StepBackend]] = {"fused": fused_step}
    kept = exporter()
    if kept is not None and kept.kept(objective):
        makers["compiled"] = compiled_step
    for name, make in makers.items():
        try:
            candidates[name] = make(objective, sizes)
        except DpaError as error:
            log.warning("step: not %s: %s", name, str(error).splitlines()[0])
    return fastest(candidates, objective)


def fused_step(objective: Objective, sizes: tuple[int, ...]) -> StepBackend:
    """The fused step; on a GPU as one CUDA graph a call size."""
    step = FusedStep(objective, sizes)
    return GraphedStep(step) if objective.plates.device.type == "cuda" else step


BACKENDS: dict[str, Callable[[Objective, tuple[int, ...]], StepBackend]] = {
    "eager": EagerStep,
    "fused": fused_step,
    "compiled": compiled_step,
    "auto": automatic,
}
"""Name → from an objective and the sizes of its calls (ascending) to the back-end."""


def _foreign(*networks: Generator | Target) -> str:
    """The name of the first network with parts of its own in place of this project's usual ones, "" where
    there is none."""
    return next(
        (
            network.framework
            for network in networks
            if isinstance(network, DisentangledNetwork) and type(network) is not DisentangledNetwork
        ),
        "",
    )
