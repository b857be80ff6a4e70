"""`auto`: the fastest step on this machine for these networks, by a short measurement."""

import logging
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from dpa.engine.attack.backends.probes import probe
from dpa.engine.attack.backends.protocol import StepBackend, StepResult
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.scene import Scene

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
