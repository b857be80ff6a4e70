"""From a step's name to the step that can run these networks; `auto` measures which is the fastest."""

import logging
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dpa.engine.attack.calls import step_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Generator, Objective, Target, climbed_target
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.compiled import compiled_step, exporter
from dpa.engine.attack.steps.eager import EagerStep, StepBackend, StepResult, probe
from dpa.engine.attack.steps.fused import FusedStep
from dpa.engine.attack.steps.graphed import GraphedStep
from dpa.models.errors import DpaError
from dpa.models.frameworks.base import DisentangledNetwork

ROUNDS = 3
LARGEST = 64
"""Rows of a trial call at most."""
MARGIN = 1.2
"""How many times as fast as a plainer step one must be to be picked: a disturbed measurement must not
decide between equals, or the same command would end elsewhere the next time."""

log = logging.getLogger(__name__)


class AutoStep:
    """The candidate that was fastest, under its own name, so that a run that goes on later names the same
    one. figures: samples/s of each in the warm-up."""

    def __init__(self, choice: StepBackend, figures: Mapping[str, float]) -> None:
        self.choice, self.figures = choice, dict(figures)

    @property
    def name(self) -> str:
        """The choice's."""
        return self.choice.name

    @property
    def sizes(self) -> tuple[int, ...]:
        """The choice's."""
        return self.choice.sizes

    def prefix(self, pose_code: Tensor) -> Tensor:
        """The choice's."""
        return self.choice.prefix(pose_code)

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """The choice's."""
        return self.choice(h_a, scene)

    def __str__(self) -> str:
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in self.figures.items())
        return f"{self.choice.name}, the fastest in a short warm-up (samples/s of a step: {rates})"


def fastest(candidates: Mapping[str, StepBackend], objective: Objective) -> AutoStep:
    """Tries at least one candidate by name, the plainer ones first, in turns; the best of ROUNDS calls
    counts, because other processes only ever slow one down. Says on the log what it picked."""
    seconds = dict.fromkeys(candidates, float("inf"))
    size = max(size for size in next(iter(candidates.values())).sizes if size <= LARGEST)
    inputs = {name: probe(objective, one.prefix, size, seed=0) for name, one in candidates.items()}
    for attempt in range(ROUNDS + 1):
        for name, one in candidates.items():
            begin = time.perf_counter()
            one(*inputs[name])
            _wait(objective.plates.device)
            if attempt:  # the first call warms up
                seconds[name] = min(seconds[name], time.perf_counter() - begin)
    best, *others = seconds
    for name in others:
        if seconds[best] > MARGIN * seconds[name]:
            best = name
    step = AutoStep(candidates[best], {name: size / spent for name, spent in seconds.items()})
    log.warning("step: %s", step)
    return step


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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
