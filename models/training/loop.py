"""One training loop for all frameworks: start of the localiser, joint training, resume, logs."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models.data.store import PackedStore
from dpa.models.errors import DpaError
from dpa.models.frameworks import make_objective
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Objective, Outcome
from dpa.models.networks.config import PRESETS
from dpa.models.training.batches import BatchSource, Prefetcher
from dpa.models.training.checkpoint import save_network
from dpa.models.training.config import TrainConfig
from dpa.models.training.localiser_start import background_boxes
from dpa.models.training.logs import TrainingLog
from dpa.models.training.state import load_state, newest_weights, save_state
from dpa.models.training.validation import split_sequences, validate

VALIDATION_ROWS = 512


class NonFiniteLoss(DpaError):
    """A loss term became NaN or infinite; training stopped before the step was taken."""

    def __init__(self, step: int, terms: dict[str, Tensor], last_good: Path | None) -> None:
        listed = ", ".join(f"{name} {value.item():.4g}" for name, value in terms.items())
        super().__init__(
            f"the loss is not finite at step {step}: {listed}\n"
            f"  last good checkpoint: {last_good or 'none yet'}\n"
            f"  to do: resume from it with a smaller --learning-rate, or with --precision fp32"
        )


@dataclass(frozen=True)
class Progress:
    """What the loop tells its caller now and then."""

    step: int
    steps: int
    values: dict[str, float]


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to 1 % of the rate (the project's choice)."""
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    share = (step - config.warm_up) / max(1, config.steps - config.warm_up)
    return config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


class Trainer:
    """Trains one network; `run` holds the checkpoints, the log and, at the end, the network itself."""

    def __init__(self, config: TrainConfig, store: PackedStore, run: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.store, self.run, self.device = config, store, run, device
        network = DisentangledNetwork(PRESETS[config.preset](), config.framework).to(device)
        self.network: DisentangledNetwork = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective: Objective = make_objective(config, self.network.config.pose_dim)
        extra = self.objective.extra
        self.extra = extra.to(device) if extra is not None else None
        localiser = list(self.network.localiser.parameters())
        others = [*self.network.encoder.parameters(), *self.network.decoder.parameters()]
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "network": torch.optim.Adam([{"params": others}, {"params": localiser}])
        }
        if self.extra is not None:
            self.optimisers["extra"] = torch.optim.Adam(self.extra.parameters())
        self.train_rows, self.validation_rows = split_sequences(store, config.held_out, config.seed)
        self.source = BatchSource(store, device)

    def fit(self, resume: bool, report: Callable[[Progress], None]) -> DisentangledNetwork:
        """Trains to the configured step. Raises NonFiniteLoss, NothingToResume."""
        config = self.config
        start = load_state(self.run, self.network, self.extra, self.optimisers) if resume else 0
        log = TrainingLog(self.run, start)
        sampler = self.objective.sampler(self.store, self.train_rows)
        size = config.batch - config.batch % sampler.group
        self.network.train()
        began, since = time.perf_counter(), start
        with Prefetcher(self.source, sampler, size, config.seed, start, config.steps) as batches:
            for step, batch in batches:
                torch.manual_seed(config.seed * 1_000_003 + step)
                outcome = self._step(step, batch)
                done = step + 1
                if done % config.log_every == 0 or done == config.steps:
                    spent = time.perf_counter() - began
                    values = {name: float(value.detach()) for name, value in outcome.terms.items()}
                    values["images_per_s"] = (done - since) * size / spent
                    values["input_wait_share"] = batches.waited / spent
                    log.scalars(done, values)
                    report(Progress(done, config.steps, values))
                    began, since, batches.waited = time.perf_counter(), done, 0.0
                if done % config.validate_every == 0 or done == config.steps:
                    rows = self.validation_rows[:: max(1, len(self.validation_rows) // VALIDATION_ROWS)]
                    measured = validate(self.network, self.store, rows[:VALIDATION_ROWS]).summary()
                    values = {f"held_out/{name}": value for name, value in measured.items()}
                    log.scalars(done, values)
                    report(Progress(done, config.steps, values))
                    log.grid(done, [outcome.target, outcome.reconstruction, outcome.mask])
                if done % config.checkpoint_every == 0 or done == config.steps:
                    save_state(
                        self.run, done, self.network, self.extra, self.optimisers, self._training(done)
                    )
        log.close()
        save_network(self.network, self.run, self._training(config.steps))
        self.network.eval()
        return self.network

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
        starting = step < config.localiser_start
        groups = self.optimisers["network"].param_groups
        groups[0]["lr"], groups[1]["lr"] = rate, rate if starting else rate * config.localiser_rate
        if self.extra is not None:
            self._auxiliary_step(batch, rate)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            outcome = self.objective.forward(self.network, batch)
            if starting:
                outcome.terms["localiser_start"] = self._start_loss(batch)
        total = outcome.total
        if not torch.isfinite(total):
            raise NonFiniteLoss(step, outcome.terms, newest_weights(self.run))
        _minimise(self.optimisers["network"], self.network, total)
        return outcome

    def _auxiliary_step(self, batch: FrameBatch, rate: float) -> None:
        loss = self.objective.auxiliary_loss(self.network, batch)
        if loss is None or self.extra is None:
            return
        self.optimisers["extra"].param_groups[0]["lr"] = rate
        _minimise(self.optimisers["extra"], self.extra, loss)

    def _start_loss(self, batch: FrameBatch) -> Tensor:
        size = self.network.localiser_size
        target, found = background_boxes(batch.frames, batch.plates, batch.plate_index, size)
        box = self.network.localise(batch.frames)
        return F.smooth_l1_loss(box[found], target[found], beta=0.05) if found.any() else box.sum() * 0


def _minimise(optimiser: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimiser.step()
