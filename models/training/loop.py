"""One training loop for all frameworks: start of the localiser, joint training, refinement, resume, one
process or several (`models/distributed.py`)."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models import distributed
from dpa.models.artefacts import claim, require_ours
from dpa.models.data.store import PackedStore
from dpa.models.distributed import share_statistics
from dpa.models.errors import DpaError, InputError
from dpa.models.frameworks import make_network, make_objective
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Objective, Outcome
from dpa.models.frameworks.reconstruction import background_boxes
from dpa.models.networks.config import PRESETS
from dpa.models.training.batches import BatchSource, Prefetcher, split_sequences
from dpa.models.training.checkpoint import (
    WEIGHTS,
    RunTrained,
    checkpoints,
    load_state,
    newest_weights,
    save_network,
    save_state,
)
from dpa.models.training.config import TrainConfig, autocast, set_precision
from dpa.models.training.phases import learning_rate_at, only_the_decoder_learns, second_look
from dpa.models.training.record import Progress, Record, TrainingLog

KIND = "a training run"
"""What the run's folder is, for its marker."""


class NonFiniteLoss(DpaError):
    """A loss term became NaN or infinite; training stopped before the step was taken."""

    def __init__(self, step: int, terms: dict[str, Tensor], last_good: Path | None) -> None:
        listed = ", ".join(f"{name} {value.item():.4g}" for name, value in terms.items())
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


def whole_groups(batch: int, group: int) -> int:
    """The batch in force: as many whole groups as fit. Raises UnevenBatch where several processes train
    and it cannot be dealt out evenly."""
    size = batch - batch % group
    if distributed.count() > 1 and (size != batch or size % (group * distributed.count())):
        raise UnevenBatch(batch, group)
    return size


class Trainer:
    """Trains one network; `run` holds the checkpoints, the log and, at the end, the network itself.

    input_wait_share: after `fit`, the share of its time that was spent waiting for data.
    """

    def __init__(self, config: TrainConfig, store: PackedStore, run: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        set_precision(config.precision, device)
        self.config, self.store, self.run, self.device = config, store, run, device
        self.input_wait_share = 0.0
        network = make_network(PRESETS[config.preset](), config.framework).to(device)
        share_statistics(network, device)
        self.network: DisentangledNetwork = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective: Objective = make_objective(config, self.network.config.pose_dim)
        extra = self.objective.extra
        self.extra = extra.to(device) if extra is not None else None
        localiser = list(self.network.localiser.parameters())
        first = set(map(id, localiser))
        others = [value for value in self.network.parameters() if id(value) not in first]
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "network": torch.optim.Adam([{"params": others}, {"params": localiser}])
        }
        if self.extra is not None:
            self.optimisers["extra"] = torch.optim.Adam(self.extra.parameters())
        self.train_rows, self.validation_rows = split_sequences(store, config.held_out, config.seed)
        self.source = BatchSource(store, device, labelled=config.framework == "witness")

    def fit(self, resume: bool, report: Callable[[Progress], None]) -> DisentangledNetwork:
        """Trains to the configured step. Raises NonFiniteLoss, NothingToResume, UnevenBatch; NotOurs where
        the run's folder holds something else, RunTrained where it holds a training that was to go on."""
        config = self.config
        require_ours(self.run, KIND, lambda run: resume and bool(checkpoints(run)))
        if not resume and (checkpoints(self.run) or (self.run / WEIGHTS).is_file()):
            raise RunTrained(self.run)
        start = load_state(self.run, self.network, self.extra, self.optimisers) if resume else 0
        sampler = self.objective.sampler(self.store, self.train_rows)
        size = whole_groups(config.batch, sampler.group)
        if distributed.rank() == 0:
            claim(self.run, KIND, lambda run: resume)
        log = TrainingLog(self.run, start) if distributed.rank() == 0 else None
        record = Record(config, log, report, start) if log is not None else None
        self.network.train()
        with Prefetcher(self.source, sampler, size, config.seed, start, config.total_steps) as batches:
            for step, batch in batches:
                torch.manual_seed(config.seed * 1_000_003 + step)
                outcome = self._step(step, batch)
                if record is not None:
                    self._write_down(record, step + 1, outcome, size, batches.waited)
        if log is not None and record is not None:
            log.close()
            self.input_wait_share = record.watch.wait_share(batches.waited)
            save_network(self.network, self.run, self._training(config.total_steps))
        distributed.wait_for_all()
        self.network.eval()
        return self.network

    def _write_down(self, record: Record, done: int, outcome: Outcome, size: int, waited: float) -> None:
        config = self.config
        if record.due(config.log_every, done):
            record.losses(done, outcome.terms, size, waited)
        if record.due(config.validate_every, done):
            record.held_out(done, self.network, self.store, self.validation_rows)
            record.pictures(done, outcome)
        if record.due(config.checkpoint_every, done):
            save_state(self.run, done, self.network, self.extra, self.optimisers, self._training(done))

    def _training(self, step: int) -> dict[str, object]:
        return {
            **self.config.model_dump(mode="json"),
            "step": step,
            "data": {key: value for key, value in self.store.info().items() if key != "bytes"},
            "train_frames": len(self.train_rows),
        }

    def _step(self, step: int, batch: FrameBatch) -> Outcome:
        config = self.config
        rate = learning_rate_at(step, config)
        refining = step >= config.steps
        starting = step < config.localiser_start and not refining
        if refining:
            only_the_decoder_learns(self.network)
        groups = self.optimisers["network"].param_groups
        groups[0]["lr"], groups[1]["lr"] = rate, rate if starting else rate * config.localiser_rate
        if self.extra is not None and not starting and not refining:
            self._auxiliary_step(batch, rate)
        with autocast(config.precision, self.device):
            outcome = self._start(batch) if starting else self.objective.forward(self.network, batch)
            if refining:
                outcome.terms.update(second_look(self.network, batch, outcome, config.refinement))
        if not starting and "mask_start" in outcome.terms:
            held = 1 - (step - config.localiser_start) / max(1, config.mask_start)
            outcome.terms["mask_start"] = outcome.terms["mask_start"] * max(0.0, held)
        total = outcome.total
        shown = outcome.averaged()
        if not torch.isfinite(shown.total):
            raise NonFiniteLoss(step, shown.terms, newest_weights(self.run))
        _minimise(self.optimisers["network"], self.network, total)
        return shown

    def _auxiliary_step(self, batch: FrameBatch, rate: float) -> None:
        with autocast(self.config.precision, self.device):
            loss = self.objective.auxiliary_loss(self.network, batch)
        if loss is None or self.extra is None:
            return
        self.optimisers["extra"].param_groups[0]["lr"] = rate
        _minimise(self.optimisers["extra"], self.extra, loss)

    def _start(self, batch: FrameBatch) -> Outcome:
        """S alone follows background subtraction: codes cannot settle on crops that still wander."""
        size = self.network.localiser_size
        target, found = background_boxes(batch.frames, batch.plates, batch.plate_index, size)
        box = self.network.localise(batch.frames)
        weight = distributed.weight_of(found.sum())
        loss = (
            F.smooth_l1_loss(box[found], target[found], beta=0.05) * weight if found.any() else box.sum() * 0
        )
        crops = self.network.crop(batch.frames, box.detach())
        return Outcome(
            {"localiser_start": loss}, crops, crops, box.detach(), crops, torch.zeros_like(crops[:, :1])
        )


def _minimise(optimiser: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    distributed.average_gradients(module)
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimiser.step()
