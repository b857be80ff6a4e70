"""Who takes part in `bench attack`: the plain loop, the engine with each step back-end, and peers."""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from dpa.bench.attack_expert import expert_attack
from dpa.bench.attack_plain import plain_attack
from dpa.bench.attack_rows import Contender, Pictures, Source, Task
from dpa.bench.peers import CANNOT, PEERS, peer_attack
from dpa.engine.api.attack import carry_out
from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig, AttackRunConfig
from dpa.engine.attack.natural import default_natural_set
from dpa.engine.attack.run import Networks
from dpa.engine.attack.steps.choice import make_backend
from dpa.engine.attack.steps.eager import StepBackend
from dpa.engine.attack.writer import PICTURES, read_samples
from dpa.engine.runs.directory import RunDirectory
from dpa.export.cached_pose import cached_pose_session
from dpa.export.gradient import CachedGradients
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError

PLAIN = "plain"
STEPS = ("eager", "fused", "compiled")
AUTO = "auto"
SAME = "auto-same"
EXPERT, COMMAND = "expert", "command"
WARM_SAMPLES, WARM_STEPS = 4, 2
COMMON = ("adam", "sgd", "sign")
"""Optimisers that a plain loop has too."""


class UnknownContender(InputError):
    """A name that nobody bears."""


class NotTheirOptimiser(InputError):
    """A loop that is not the engine's was to run with an optimiser that only the engine has."""

    def __init__(self, name: str, optimiser: str) -> None:
        super().__init__(
            f"{name} with {optimiser}",
            f"one of {', '.join(COMMON)} for {name}, whose optimisers are PyTorch's or a library's",
            f"choose another optimiser, or leave {name} out",
        )


def make_contenders(
    names: Sequence[str], task: Task, config: AttackConfig, plain_batch: int, peer_steps: int = 40
) -> list[Contender]:
    """The named ones, ready to run: back-ends made, everything called once on a few samples. Raises
    UnknownContender, NotTheirOptimiser, and MissingPackage for a peer that is not installed."""
    makers: dict[str, Callable[[], Contender]] = {PLAIN: partial(plain, task, config, plain_batch)}
    makers |= {name: partial(engine, name, task, config) for name in STEPS}
    makers[SAME] = partial(engine, AUTO, task, config, SAME)
    makers[AUTO] = partial(engine, AUTO, task, as_commanded(config))
    makers[EXPERT] = partial(expert, task, as_commanded(config), plain_batch)
    makers[COMMAND] = partial(command, task, config)
    makers |= {name: partial(peer, name, task, config, plain_batch, peer_steps) for name in PEERS}
    for name in names:
        if name in CANNOT:
            raise UnknownContender(f"contender {name!r}", "one that can express the objective", CANNOT[name])
        if name not in makers:
            known = ", ".join(makers)
            raise UnknownContender(f"contender {name!r}", f"one of {known}", "name one of these")
        if name in (PLAIN, *PEERS) and config.optimiser not in COMMON:
            raise NotTheirOptimiser(name, config.optimiser)
    return [makers[name]() for name in names]


def as_commanded(config: AttackConfig) -> AttackConfig:
    """The same with the optimiser that `dpa-engine attack` takes where none is named, and its step size."""
    return config.having(optimiser=AttackConfig().optimiser)


def plain(task: Task, config: AttackConfig, batch: int, name: str = PLAIN) -> Contender:
    """The plain loop, batch after batch."""
    groups = [task.part(start, start + batch) for start in range(0, len(task), batch)]
    _plain_piece(task.part(0, WARM_SAMPLES), config.model_copy(update={"max_steps": WARM_STEPS}))
    return Contender(name, [partial(_plain_piece, group, config) for group in groups])


def engine(
    backend: str, task: Task, config: AttackConfig, name: str = "", step: StepBackend | None = None
) -> Contender:
    """The engine with a step back-end (or with `step`, which is ready), all samples in one stream."""
    config = config.having(backend=backend)
    begin = time.perf_counter()
    step = step or make_backend(task.generator, task.target, task.plates, config, CachedGradients())
    short = config.model_copy(update={"max_steps": WARM_STEPS})
    _engine_piece(task.part(0, WARM_SAMPLES), short, step)
    setup = time.perf_counter() - begin
    return Contender(name or backend, [partial(_engine_piece, task, config, step)], setup, step.note)


def peer(name: str, task: Task, config: AttackConfig, batch: int, steps: int) -> Contender:
    """Another library's loop, batch after batch, a fixed number of steps."""
    groups = [task.part(start, start + batch) for start in range(0, len(task), batch)]
    peer_attack(PEERS[name], task.part(0, WARM_SAMPLES), config, WARM_STEPS)
    pieces = [partial(peer_attack, PEERS[name], group, config, steps) for group in groups]
    return Contender(name, pieces, note=f"{steps} steps for every sample: its loop does not stop at success")


def expert(task: Task, config: AttackConfig, batch: int) -> Contender:
    """The loop of somebody who knows PyTorch well, batch after batch."""
    groups = [task.part(start, start + batch) for start in range(0, len(task), batch)]
    _expert_piece(task.part(0, WARM_SAMPLES), config.having(max_steps=WARM_STEPS))
    return Contender(EXPERT, [partial(_expert_piece, group, config) for group in groups])


def command(task: Task, config: AttackConfig) -> Contender:
    """What `dpa-engine attack` does from open data and a loaded network on: loader, trial of the steps,
    judge, writer, figures and report. Raises UnknownContender for samples that come from no store."""
    if task.source is None:
        raise UnknownContender(f"contender {COMMAND!r}", "samples of a store", "name a data set")
    source = task.source
    limits = config.model_dump(include={"min_error_mm", "max_steps", "batch"})
    settings = AttackRunConfig(
        **limits, target=source.network, samples=source.samples, pictures=source.samples, seed=source.seed
    )
    begin = time.perf_counter()
    networks = Networks(task.generator, task.target)  # type: ignore[arg-type]
    natural = default_natural_set()
    cached_pose_session(networks.target)
    return Contender(
        COMMAND, [partial(_command_piece, settings, networks, source, natural)], time.perf_counter() - begin
    )


def _command_piece(
    settings: AttackRunConfig, networks: Networks, source: Source, natural: PackedStore
) -> Pictures:
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(Path(folder) / "run", "attack", settings.model_dump(mode="json"))
        carry_out(run, settings, networks, source.store, natural)
        pictures = run.read_shards(PICTURES)
        computed = int(read_samples(run, ["backwards"])["backwards"].sum())
    order = pictures["index"].argsort()
    before, after = (
        torch.from_numpy(pictures[name][order]).permute(0, 3, 1, 2).to(networks.device)
        for name in ("synthesised", "adversarial")
    )
    return Pictures(before, after, computed)


def _expert_piece(task: Task, config: AttackConfig) -> Pictures:
    made = expert_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    return Pictures(made.before, made.after, made.computed)


def _plain_piece(task: Task, config: AttackConfig) -> Pictures:
    made = plain_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    return Pictures(made.before, made.after, made.computed)


def _engine_piece(task: Task, config: AttackConfig, step: StepBackend) -> Pictures:
    made = appearance_attack(
        task.generator, task.target, task.frames, task.plates, task.plate_index, config, backend=step
    )
    return Pictures(made.initial_frame, made.adversarial_frame, int(made.backwards.sum()))
