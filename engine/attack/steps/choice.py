"""From a step's name to the step that can run these networks; `auto` measures which is the fastest."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from dpa.engine.attack.calls import OutOfMemory, attempt, step_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Generator, Objective, Target, climbed_target
from dpa.engine.attack.steps.compiled import GradientExporter, compiled_step
from dpa.engine.attack.steps.eager import StepBackend, eager_step, probe
from dpa.engine.attack.steps.fused import fused_step
from dpa.engine.attack.steps.graphed import graphed
from dpa.models.devices import records_graphs, wait
from dpa.models.frameworks.base import DisentangledNetwork

ROUNDS = 3
MARGIN = 1.2
"""How many times as fast as a plainer step one must be to be picked: a disturbed measurement must not
decide between equals, or the same command would end elsewhere the next time."""

log = logging.getLogger(__name__)


def make_backend(
    generator: Generator,
    target: Target,
    plates: Tensor,
    config: AttackConfig,
    exporter: GradientExporter | None = None,
) -> StepBackend:
    """The back-end that `config.backend` names, for batches of at most `config.batch`. exporter: makes the
    compiled step's graph; without one there is no compiled step."""
    target = climbed_target(generator, target)
    objective = Objective(generator, target, plates, config.freeze_box, config.clamp)
    sizes = step_sizes(config.batch, plates.device)
    if config.backend != "eager" and (foreign := _foreign(generator, target)):
        log.warning("step: eager, as %s does not know the inside of %s", config.backend, foreign)
        return eager_step(objective, sizes)
    return named_step(config.backend, objective, sizes, exporter)


def named_step(
    name: str, objective: Objective, sizes: tuple[int, ...], exporter: GradientExporter | None = None
) -> StepBackend:
    """A step by its name, as in AttackConfig.backend. sizes: of its calls, ascending. On a device that
    records graphs the fused step is one graph a call size. Raises what the step's maker raises."""
    if name == "auto":
        return automatic(objective, sizes, exporter)
    if name == "eager":
        return eager_step(objective, sizes)
    if name == "fused":
        step = fused_step(objective, sizes)
        return graphed(step) if records_graphs(objective.plates.device) else step
    return compiled_step(objective, sizes, exporter)


def automatic(
    objective: Objective, sizes: tuple[int, ...], exporter: GradientExporter | None = None
) -> StepBackend:
    """The fastest (see MARGIN) of eager, fused, and compiled where its graph is in the cache already
    (`compiled` puts it there; exporting takes longer than most attacks) and is admitted. A candidate that
    cannot be made or fails in its trial is left out, with one line, whatever it raised: drivers and
    libraries have errors of their own, and the plain step always runs, with fewer samples where memory does
    not suffice."""
    kept = exporter is not None and exporter.kept(objective)
    names = ("eager", "fused", "compiled") if kept else ("eager", "fused")
    makers = {name: _maker(name, objective, sizes, exporter) for name in names}
    rows = max(sizes)
    while True:
        picked, complaint = attempt(partial(fastest, makers, objective, rows), objective.plates.device)
        if picked is not None:
            return picked
        if rows == 1:
            raise OutOfMemory(1, complaint)
        rows //= 2


def _maker(
    name: str, objective: Objective, sizes: tuple[int, ...], exporter: GradientExporter | None
) -> Callable[[], StepBackend]:
    return lambda: named_step(name, objective, sizes, exporter)


def fastest(makers: Mapping[str, Callable[[], StepBackend]], objective: Objective, rows: int) -> StepBackend:
    """Makes candidates by name, the plainer ones first, and tries them in turns with `rows` samples in a
    call; the best of ROUNDS calls counts, because other processes only ever slow one down. Returns the one
    that was fastest, under its own name, so that a run that goes on later names the same one, with a note of
    the figures. The first candidate must run; another that raises is left out."""
    candidates: dict[str, StepBackend] = {}
    inputs = {}
    for number, (name, make) in enumerate(makers.items()):
        try:
            made = make()
            inputs[name] = probe(objective, made.prefix, rows, seed=0)
            made.step(*inputs[name])  # warms up
            wait(objective.plates.device)
        except Exception as error:
            if not number:
                raise
            log.warning("step: not %s: %s", name, (str(error) or type(error).__name__).splitlines()[0])
        else:
            candidates[name] = made
    seconds = dict.fromkeys(candidates, float("inf"))
    for _ in range(ROUNDS):
        for name, one in candidates.items():
            begin = time.perf_counter()
            one.step(*inputs[name])
            wait(objective.plates.device)
            seconds[name] = min(seconds[name], time.perf_counter() - begin)
    best, *others = seconds
    for name in others:
        if seconds[best] > MARGIN * seconds[name]:
            best = name
    rates = ", ".join(f"{name} {rows / spent:.0f}" for name, spent in seconds.items())
    note = f"{best}, the fastest in a short warm-up (samples/s of a step: {rates})"
    log.warning("step: %s", note)
    return replace(candidates[best], note=note)


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
