"""One training loop for all frameworks and phases (`training/phases.py`): the steps, the clock, resume, one
process or several (`models/distributed.py`)."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from dpa.models import distributed
from dpa.models.artefacts import claim, require_ours
from dpa.models.data.store import PackedStore
from dpa.models.devices import Download, fuses_optimisers, is_gpu
from dpa.models.errors import DpaError, InputError
from dpa.models.frameworks import make_network, make_objective
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Outcome
from dpa.models.networks.discriminators import PatchDiscriminator
from dpa.models.training.batches import BatchSource, Prefetcher, split_sequences
from dpa.models.training.checkpoint import (
    WEIGHTS,
    Reached,
    RunTrained,
    checkpoints,
    load_state,
    network_folder,
    newest_weights,
    read_config,
    read_network,
    save_network,
    save_state,
)
from dpa.models.training.config import TrainConfig, autocast, set_precision
from dpa.models.training.phases import Phase, Plan
from dpa.models.training.record import Progress, Record, TrainingLog

KIND = "a training run"
"""What the run's folder is, for its marker."""


class NonFiniteLoss(DpaError):
    """A loss term became NaN or infinite. On a CPU training stopped before the step was taken; on a GPU one
    step later, before anything was written."""

    def __init__(self, step: int, terms: Mapping[str, float], last_good: Path | None) -> None:
        listed = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
        super().__init__(
            f"the loss is not finite at step {step}: {listed}\n"
            f"  last good checkpoint: {last_good or 'none yet'}\n"
            f"  to do: resume from it with a smaller --learning-rate, or with --precision fp32"
        )


class UnevenBatch(InputError):
    """The batch cannot be dealt out to the processes in whole groups."""

    def __init__(self, batch: int, group: int) -> None:
        unit = group * distributed.count()
        super().__init__(
            f"a batch of {batch} for {distributed.count()} processes",
            f"a multiple of {unit}: whole groups of {group} for each process",
            f"use --batch {max(unit, batch // unit * unit)}",
        )


class AnotherFramework(InputError):
    """A training was to begin with a network of another framework."""

    def __init__(self, spec: str, found: str, wanted: str) -> None:
        super().__init__(
            f"{spec} is a network of the framework {found}",
            f"one of {wanted}, which is to be trained",
            f"use --framework {found}, or begin with another network",
        )


def whole_groups(batch: int, group: int) -> int:
    """The batch in force: as many whole groups as fit. Raises UnevenBatch where several processes train
    and it cannot be dealt out evenly."""
    size = batch - batch % group
    if distributed.count() > 1 and (size != batch or size % (group * distributed.count())):
        raise UnevenBatch(batch, group)
    return size


class Clock:
    """Where in its plan a training stands: a place a step, or, where `minutes` are set, the place that
    belongs to the time spent, so that phases and learning rates follow the clock on any machine."""

    def __init__(self, config: TrainConfig, reached: Reached) -> None:
        self.limit = None if config.minutes is None else 60 * config.minutes
        self.total = config.total_steps
        self.began = time.perf_counter() - reached.seconds

    def spent(self) -> float:
        """Seconds of training, those before a resume included."""
        return time.perf_counter() - self.began

    def place(self, step: int) -> int:
        """The place in the plan of the step that comes next; `total` and beyond: none does. Where several
        processes train, all of them ask, and go by the first one's time."""
        if self.limit is None:
            return step
        return int(distributed.of_the_first(self.spent()) / self.limit * self.total)

    def steps(self, start: int) -> Iterable[int]:
        """The steps that may be taken from `start` on."""
        return range(start, self.total) if self.limit is None else itertools.count(start)


class Watch:
    """Stops a training whose loss is not finite. On a GPU, where to look is to wait, it looks at each step's
    loss when the next step has been asked for."""

    def __init__(self, run: Path, late: bool) -> None:
        self.run, self.late = run, late
        self.pending: tuple[int, list[str], Download] | None = None

    def over(self, step: int, terms: Mapping[str, Tensor]) -> None:
        """Takes note of a step's terms. Raises NonFiniteLoss for them, or where `late` for those before."""
        values = torch.stack([value.detach().float() for value in terms.values()])
        noted = (step, list(terms), Download(values))
        before, self.pending = self.pending, noted
        if not self.late:
            before, self.pending = noted, None
        self._look(before)

    def all_seen(self) -> None:
        """Looks at what has been noted and not looked at. Raises NonFiniteLoss."""
        pending, self.pending = self.pending, None
        self._look(pending)

    def _look(self, noted: tuple[int, list[str], Download] | None) -> None:
        if noted is None:
            return
        step, names, download = noted
        values = download.read()[0].tolist()
        if not all(map(math.isfinite, values)):
            raise NonFiniteLoss(step, dict(zip(names, values, strict=True)), newest_weights(self.run))


class Trainer:
    """Trains one network; `run` holds the checkpoints, the log and, at the end, the network itself.

    input_wait_share: after `fit`, the share of its time that was spent waiting for data.
    """

    def __init__(self, config: TrainConfig, store: PackedStore, run: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        set_precision(config.precision, device)
        self.config, self.store, self.run, self.device = config, store, run, device
        self.input_wait_share = 0.0
        network = _begun(config).to(device)
        distributed.share_statistics(network, device)
        self.network: DisentangledNetwork = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        objective = make_objective(config, self.network.config.pose_dim)
        self.rivals: dict[str, nn.Module] = {}
        if objective.extra is not None:
            self.rivals["extra"] = objective.extra.to(device)
        judge = PatchDiscriminator().to(device) if config.refinement.judged else None
        if judge is not None:
            self.rivals["judge"] = judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plan = Plan(config, objective, judge)
        self.sampler_of = objective.sampler
        localiser = list(self.network.localiser.parameters())
        first = set(map(id, localiser))
        others = [value for value in self.network.parameters() if id(value) not in first]
        fused = fuses_optimisers(device) or None
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "network": torch.optim.Adam([{"params": others}, {"params": localiser}], fused=fused)
        }
        for name, rival in self.rivals.items():
            self.optimisers[name] = torch.optim.Adam(rival.parameters(), fused=fused)
        self.train_rows, self.validation_rows = split_sequences(store, config.held_out, config.seed)
        self.source = BatchSource(store, device, config.framework == "witness", config.resident)
        self.watch = Watch(run, is_gpu(device))
        if config.compiled:
            for part in (self.network.localiser, self.network.encoder, self.network.decoder):
                part.compile()

    def fit(self, resume: bool, report: Callable[[Progress], None]) -> DisentangledNetwork:
        """Trains to the configured step or minute. Raises NonFiniteLoss, NothingToResume, UnevenBatch;
        NotOurs where the run's folder holds something else, RunTrained where it holds a training that was
        to go on."""
        config = self.config
        require_ours(self.run, KIND, lambda run: resume and bool(checkpoints(run)))
        if not resume and (checkpoints(self.run) or (self.run / WEIGHTS).is_file()):
            raise RunTrained(self.run)
        reached = load_state(self.run, self.network, self.rivals, self.optimisers) if resume else Reached()
        sampler = self.sampler_of(self.store, self.train_rows)
        size = whole_groups(config.batch, sampler.group)
        record = None
        if distributed.rank() == 0:
            claim(self.run, KIND, lambda run: resume)
            record = Record(config, TrainingLog(self.run, reached.step), report, reached.step)
        clock, taken = Clock(config, reached), reached.step
        place = clock.place(taken)
        phase = self.plan.at(place)
        phase.enter(self.network)
        steps = clock.steps(taken) if place < clock.total else ()
        with Prefetcher(self.source, sampler, size, config.seed, steps) as batches:
            for step, batch in batches:
                if phase is not self.plan.at(place):
                    phase = self.plan.at(place)
                    phase.enter(self.network)
                torch.manual_seed(config.seed * 1_000_003 + step)
                outcome = self._step(phase, step, place, batch)
                taken, place = step + 1, clock.place(step + 1)
                if record is not None:
                    now = Reached(taken, clock.spent())
                    self._write_down(record, now, min(place, clock.total), outcome, (size, batches.waited))
                if place >= clock.total:
                    break
        self.watch.all_seen()
        if record is not None:
            record.log.close()
            self.input_wait_share = record.watch.wait_share(batches.waited)
            save_network(self.network, self.run, self._training(taken))
        distributed.wait_for_all()
        self.network.eval()
        return self.network

    def _write_down(
        self, record: Record, now: Reached, place: int, outcome: Outcome, told: tuple[int, float]
    ) -> None:
        """told: frames a step, seconds spent waiting for input."""
        config, step = self.config, now.step

        def due(interval: int) -> bool:
            return step % interval == 0 or place == config.total_steps

        if due(config.log_every):
            record.losses(step, place, outcome.terms, *told)
        if due(config.validate_every):
            record.held_out(step, place, self.network, self.store, self.validation_rows)
            record.pictures(step, outcome)
        if due(config.checkpoint_every):
            self.watch.all_seen()
            save_state(self.run, now, self.network, self.rivals, self.optimisers, self._training(step))

    def _training(self, step: int) -> dict[str, object]:
        fit = _fit_that_stays(self.config) if self.network.regressor is not None else {}
        return {
            **self.config.model_dump(mode="json"),
            **fit,
            "step": step,
            "data": {key: value for key, value in self.store.info().items() if key != "bytes"},
            "train_frames": len(self.train_rows),
        }

    def _step(self, phase: Phase, step: int, place: int, batch: FrameBatch) -> Outcome:
        others, localiser = phase.rates(place)
        groups = self.optimisers["network"].param_groups
        groups[0]["lr"], groups[1]["lr"] = others, localiser
        with autocast(self.config.precision, self.device):
            rival = phase.rival_before(self.network, batch)
        self._rival_step("extra", rival, others)
        with autocast(self.config.precision, self.device):
            outcome = phase.forward(self.network, batch, place)
        shown = outcome.averaged()
        if not self.watch.late:
            self.watch.over(step, shown.terms)
        _minimise(self.optimisers["network"], self.network, outcome.total)
        with autocast(self.config.precision, self.device):
            rival = phase.rival_after(outcome, batch)
        self._rival_step("judge", rival, others)
        if self.watch.late:
            self.watch.over(step, shown.terms)
        return shown

    def _rival_step(self, name: str, loss: Tensor | None, rate: float) -> None:
        if loss is None:
            return
        self.optimisers[name].param_groups[0]["lr"] = rate
        _minimise(self.optimisers[name], self.rivals[name], loss)


def _begun(config: TrainConfig) -> DisentangledNetwork:
    """The network to be trained: new, or one that is there. Raises NotANetwork, BrokenCheckpoint,
    AnotherFramework."""
    if config.initial is None:
        return make_network(config.network_sizes, config.framework)
    network = read_network(network_folder(config.initial))
    if network.framework != config.framework:
        raise AnotherFramework(config.initial, network.framework, config.framework)
    if config.steps > 0:  # φ was fitted on codes of an encoder that is about to change
        network.regressor = None
    return network


def _fit_that_stays(config: TrainConfig) -> dict[str, object]:
    """How φ came about, where it is that of the network with which training began."""
    if config.initial is None:
        return {}
    told = read_config(network_folder(config.initial)).training
    return {key: value for key, value in told.items() if key == "regressor_fit"}


def _minimise(optimiser: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    distributed.average_gradients(module)
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimiser.step()
