"""The first lines of Algorithm 1: from a frame to a sample that is ready to be attacked."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.buckets import padded_calls, step_sizes
from dpa.engine.attack.judge import Judge, full_precision
from dpa.engine.attack.memory import in_halves
from dpa.engine.attack.result import AttackResult, Status
from dpa.engine.attack.roles import Generator
from dpa.engine.attack.rows import Rows
from dpa.engine.attack.scene import Scene
from dpa.engine.attack.slots import Slots

InitialPose = Callable[[Tensor], Tensor]
"""The target's prediction q: frames [B, 3, H, W] in [0, 1] → pose [B, J, 3] mm."""


@dataclass(frozen=True)
class FrameBatch(Rows):
    """index: [n] int64, numbers of the samples. frames: [n, 3, H, W] in [0, 1]. plate_index: [n] int64."""

    index: Tensor
    frames: Tensor
    plate_index: Tensor


@dataclass(frozen=True)
class Preparation:
    """h_a⁰, h_p⁰ = G_e(G_s(I)); M⁰ from G_d; q = φ(E(S(I))); the error at h_a⁰ by the judge.
    prefix: the step back-end's own, see StepBackend."""

    generator: Generator
    judge: Judge
    initial_pose: InitialPose
    prefix: Callable[[Tensor], Tensor]
    max_steps: int

    def queue(self, batches: Iterable[FrameBatch], finish: Callable[[AttackResult], None]) -> Iterator[Slots]:
        """Prepares batches one by one, as slots ask for them. Samples whose start is not finite never
        enter a slot: they go to `finish` at once."""
        for batch in batches:
            slots = self.prepare(batch)
            sound = _finite(slots)
            if not sound.all():
                finish(self._rejected(slots.take(~sound)))
            if sound.any():
                yield slots.take(sound)

    def prepare(self, batch: FrameBatch) -> Slots:
        """n ≥ 1 samples before their first step."""
        parts = []
        for rows, taken in padded_calls(len(batch), step_sizes(len(batch), batch.device), batch.device):
            prepared = in_halves(lambda some: self._prepare(batch.take(some)), rows)
            parts.append(Slots.cat(prepared).head(taken))
        return Slots.cat(parts)

    def _prepare(self, batch: FrameBatch) -> Slots:
        frames = batch.frames
        with torch.no_grad(), full_precision(frames.device):
            box = self.generator.localise(frames)
            h_a, h_p = self.generator.encode(self.generator.crop(frames, box))
            rgb, mask = self.generator.decode(h_a, h_p)
        scene = Scene(
            pose_code=h_p,
            mask=mask,
            box=box,
            plate_index=batch.plate_index,
            reference=self.initial_pose(frames).to(frames),
            prefix=self.prefix(h_p),
        )
        first = self.judge.look(self.judge.compose(rgb, scene), scene.reference)
        return Slots.begin(batch.index, scene, h_a, first, self.max_steps)

    def _rejected(self, slots: Slots) -> AttackResult:
        status = torch.full_like(slots.index, Status.NONFINITE, dtype=torch.int8)
        return slots.result(slots.h_a, self.judge(slots.h_a, slots.scene), status)


def _finite(slots: Slots) -> Tensor:
    """Which samples start from finite numbers. [n] bool."""
    scene = slots.scene
    parts = (slots.h_a, scene.pose_code, scene.mask, scene.box, scene.reference, slots.initial_error)
    return torch.stack(
        [part.flatten(1).isfinite().all(dim=1) if part.dim() > 1 else part.isfinite() for part in parts]
    ).all(dim=0)
