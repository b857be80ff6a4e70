"""The appearance-only attack of the paper (section 5, Algorithm 1) over any number of samples."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dpa.engine.attack.appearance import AppearanceDistribution
from dpa.engine.attack.budget import Ball
from dpa.engine.attack.calls import in_halves, padded_calls, step_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.judge import Judge, full_precision
from dpa.engine.attack.objective import Generator, Target
from dpa.engine.attack.optimisers import make_update
from dpa.engine.attack.scheduler import AT_ONCE, Prepared, Scheduler, Sink
from dpa.engine.attack.state import AttackResult, FrameBatch, Scene, Slots, Status
from dpa.engine.attack.steps.choice import make_backend
from dpa.engine.attack.steps.compiled import GradientExporter
from dpa.engine.attack.steps.eager import StepBackend
from dpa.models.devices import upload
from dpa.models.errors import InputError

InitialPose = Callable[[Tensor], Tensor]
"""The target's prediction q: frames [B, 3, H, W] in [0, 1] → pose [B, J, 3] mm."""


@dataclass(frozen=True)
class Preparation:
    """h_a⁰, h_p⁰ = G_e(G_s(I)); M⁰ from G_d; q = φ(E(S(I))); the error at h_a⁰ by the judge.
    prefix: the step back-end's own, see StepBackend. ball: where the attack must stay, and begins."""

    generator: Generator
    judge: Judge
    initial_pose: InitialPose
    prefix: Callable[[Tensor], Tensor]
    max_steps: int
    min_error_mm: float
    ball: Ball | None = None

    def queue(self, batches: Iterable[FrameBatch]) -> Iterator[Prepared]:
        """Prepares batches one by one, as slots ask for them."""
        for batch in batches:
            yield Prepared(batch.index.tolist(), self.prepare(batch))

    def prepare(self, batch: FrameBatch) -> Slots:
        """n ≥ 1 samples before their first step."""
        device = batch.frames.device
        plate_index = upload(batch.plate_index, device)
        parts = []
        for rows, taken in padded_calls(len(batch), step_sizes(len(batch), device), device):
            prepared = in_halves(lambda some: self._prepare(batch.frames[some], plate_index[some]), rows)
            parts.append(Slots.cat(prepared).part(0, taken))
        return Slots.cat(parts)

    def _prepare(self, frames: Tensor, plate_index: Tensor) -> Slots:
        if frames.dtype == torch.uint8:  # as a store holds them: a quarter of the bytes travels
            frames = frames.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format) / 255
        with torch.no_grad(), full_precision(frames.device):
            box = self.generator.localise(frames)
            h_a, h_p = self.generator.encode(self.generator.crop(frames, box))
            rgb, mask = self.generator.decode(h_a, h_p)
        scene = Scene(
            pose_code=h_p,
            mask=mask,
            box=box,
            plate_index=plate_index,
            reference=self.initial_pose(frames).to(frames),
            prefix=self.prefix(h_p),
        )
        first = self.judge.look(self.judge.compose(rgb, scene), scene.reference)
        slots = Slots.begin(scene, h_a, first.error, self.max_steps, self.min_error_mm)
        return slots if self.ball is None else self._placed(slots, self.ball)

    def _placed(self, slots: Slots, ball: Ball) -> Slots:
        """Whoever climbs begins inside the ball: some real codes are not."""
        h_a = torch.where(slots.alive[:, None], ball.inside(slots.h_a), slots.h_a)
        return replace(slots, h_a=h_a, last_h_a=h_a, best_h_a=h_a)


Progress = Callable[[int, int], None]
"""Called after each group of results with (samples finished, of which succeeded)."""


class TrainingMode(InputError):
    """A network in training mode mixes the samples of a batch (batch normalisation, dropout)."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"the {role} is in training mode",
            "a network in eval mode, whose output for a sample does not depend on its neighbours",
            f"call {role}.eval() first",
        )


class NeedsRealCodes(InputError):
    """A budget without the distribution that it is a quantile of."""

    def __init__(self, budget: str) -> None:
        super().__init__(
            f"budget {budget} and no distribution of real codes",
            "how the generator's codes of real frames are spread",
            "pass real=measure_appearance(generator, store, rows, device)",
        )


def attack_stream(
    generator: Generator,
    target: Target,
    batches: Iterable[FrameBatch],
    plates: Tensor,
    config: AttackConfig,
    sink: Sink,
    *,
    initial_pose: InitialPose | None = None,
    progress: Progress | None = None,
    backend: StepBackend | None = None,
    exporter: GradientExporter | None = None,
    real: AppearanceDistribution | None = None,
) -> None:
    """Attacks samples as they come and hands each result to `sink` when it is done, in groups of at
    most 32 and in no particular order. Memory holds `config.batch` samples, however many there are.

    batches: frames in groups, on the networks' device; sink: also gets the samples' numbers and how they
    ended, which the host knows without asking the device; plates: [P, 3, H, W] in [0, 1];
    initial_pose: gives q, by default target.predict; backend: one that is ready, for the same networks
    and plates, in place of the one that `config` names; exporter: makes the graph of the back-end `compiled`
    (dpa.export.gradient.CachedGradients); real: what `config.budget` is measured by. Raises TrainingMode,
    NeedsRealCodes.
    """
    for role, network in (("generator", generator), ("target", target)):
        if network.training:
            raise TrainingMode(role)
    judge = Judge(generator, target, plates)
    finished = succeeded = 0

    def finish(result: AttackResult, numbers: list[int], statuses: list[Status]) -> None:
        nonlocal finished, succeeded
        sink(result, numbers, statuses)
        finished, succeeded = finished + len(numbers), succeeded + statuses.count(Status.SUCCESS)
        if progress is not None:
            progress(finished, succeeded)

    backend = backend or make_backend(generator, target, plates, config, exporter)
    ball = ball_of(config, real, plates)
    preparation = Preparation(
        generator,
        judge,
        initial_pose or _quietly(target.predict),
        backend.prefix,
        config.max_steps,
        config.min_error_mm,
        ball,
    )
    update = make_update(config.optimiser, config.step_size, config.min_error_mm)
    scheduler = Scheduler(
        backend=backend,
        judge=judge,
        update=update if ball is None else ball.around(update),
        min_error_mm=config.min_error_mm,
        max_steps=config.max_steps,
        batch=config.batch,
    )
    scheduler.run(preparation.queue(batches), finish)


def ball_of(config: AttackConfig, real: AppearanceDistribution | None, like: Tensor) -> Ball | None:
    """Where `config.budget` keeps codes, on the device and in the precision of `like`; None without one.
    Raises NeedsRealCodes."""
    if config.budget is None:
        return None
    if real is None:
        raise NeedsRealCodes(config.budget)
    return Ball.of(real, config.budget, like)


def appearance_attack(
    generator: Generator,
    target: Target,
    frames: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    config: AttackConfig,
    *,
    initial_pose: InitialPose | None = None,
    progress: Progress | None = None,
    backend: StepBackend | None = None,
    exporter: GradientExporter | None = None,
    real: AppearanceDistribution | None = None,
) -> AttackResult:
    """Attacks frames that fit into memory. frames: [n, 3, H, W] in [0, 1], n ≥ 1; plates:
    [P, 3, H, W] in [0, 1]; plate_index: [n] int64. Returns the results in the order of the frames,
    whether they succeeded or not. initial_pose, backend, exporter, real: as in `attack_stream`. Raises
    TrainingMode, NeedsRealCodes.
    """
    results: list[AttackResult] = []
    batches = _in_groups(frames, plate_index)
    attack_stream(
        generator,
        target,
        batches,
        plates,
        config,
        lambda result, numbers, statuses: results.append(result),
        initial_pose=initial_pose,
        progress=progress,
        backend=backend,
        exporter=exporter,
        real=real,
    )
    result = AttackResult.cat(results)
    return result.take(result.index.argsort())


def _in_groups(frames: Tensor, plate_index: Tensor) -> Iterator[FrameBatch]:
    for index in torch.split(torch.arange(len(frames)), AT_ONCE):
        some = slice(int(index[0]), int(index[-1]) + 1)
        yield FrameBatch(index, frames[some], plate_index[some])


def _quietly(predict: Callable[[Tensor], Tensor]) -> InitialPose:
    """The target's own forward pass in full precision."""

    def initial_pose(frames: Tensor) -> Tensor:
        with torch.no_grad(), full_precision(frames.device):
            return predict(frames)

    return initial_pose
