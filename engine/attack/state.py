"""The tables of an attack, one row a sample: what stays fixed, what moves, and what is handed out."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Base of frozen dataclasses whose fields are tensors, or Rows, that share their first dimension."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: Tensor) -> Self:
        """The rows named by an int64 index or a bool mask [n], in that order, as a copy."""
        taken = {}
        for field in fields(self):
            value = getattr(self, field.name)
            taken[field.name] = value.take(rows) if isinstance(value, Rows) else value[rows]
        return replace(self, **taken)

    def head(self, count: int) -> Self:
        """The first rows."""
        return self.take(torch.arange(count, device=self.device))

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        value = getattr(self, fields(self)[0].name)
        device: torch.device = value.device
        return device

    def to(self, device: torch.device | str) -> Self:
        """The same rows on a device."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """All rows of all parts, in order. There must be at least one part."""
        joined = {}
        for field in fields(cls):
            values = [getattr(part, field.name) for part in parts]
            first = values[0]
            joined[field.name] = type(first).cat(values) if isinstance(first, Rows) else torch.cat(values)
        return cls(**joined)


@dataclass(frozen=True)
class FrameBatch(Rows):
    """index: [n] int64, numbers of the samples. frames: [n, 3, H, W] in [0, 1]. plate_index: [n] int64."""

    index: Tensor
    frames: Tensor
    plate_index: Tensor


@dataclass(frozen=True)
class Scene(Rows):
    """One row a sample.

    pose_code: [B, P], the generator's h_p⁰. mask: [B, 1, s, s], M⁰ after its normalisations.
    box: [B, 4], where the generator found the person. plate_index: [B] int64 into the plates.
    reference: [B, J, 3] mm, the target's prediction q on the original frame.
    prefix: [B, …], whatever a step back-end computes once from the pose code; [B, 0] for none.
    """

    pose_code: Tensor
    mask: Tensor
    box: Tensor
    plate_index: Tensor
    reference: Tensor
    prefix: Tensor


@dataclass(frozen=True)
class Verdict(Rows):
    """error: [n] mm against q. pose: [n, J, 3] mm. frames: uint8 [n, 3, H, W], what was judged."""

    error: Tensor
    pose: Tensor
    frames: Tensor


class Status(IntEnum):
    """How a sample's attack ended."""

    FAILED = 0
    SUCCESS = 1
    NONFINITE = 2
    NO_GRADIENT = 3
    STARTED_ABOVE = 4


@dataclass(frozen=True)
class AttackResult(Rows):
    """One row a sample, in the order of `index`.

    index: [n] int64, the sample's number in the source.
    success: [n] bool, the judge's word. status: [n] int8, see Status; a nonfinite sample is frozen at
        its last finite state and never a success; one without gradient never moved, so nothing was tried;
        nor was where the error is above the threshold before the attack, which is no success either.
    iterations: [n] int64, updates of the appearance code until the attack of this sample ended.
    initial_error_mm, final_error_mm: [n] MPJPE against `initial_pose` of the frames synthesised with
        h_a0 and with h_a, both by the judge. A failed sample holds its best h_a.
    h_a, h_a0: [n, A]. h_p0: [n, P]. box: [n, 4], the generator's. mask: [n, 1, s, s], M⁰.
    initial_frame, adversarial_frame: uint8 [n, 3, H, W], synthesised before and after the attack.
    initial_pose: [n, J, 3] mm, q on the original frame. final_pose: [n, J, 3] mm on the adversarial one.
    forwards, backwards: [n] int64, passes through generator and target spent on this sample.
    trace: [n, max_steps + 1] float32 mm, best error so far at each iteration; NaN after its last.
    """

    index: Tensor
    success: Tensor
    status: Tensor
    iterations: Tensor
    initial_error_mm: Tensor
    final_error_mm: Tensor
    h_a: Tensor
    h_a0: Tensor
    h_p0: Tensor
    box: Tensor
    mask: Tensor
    initial_frame: Tensor
    adversarial_frame: Tensor
    initial_pose: Tensor
    final_pose: Tensor
    forwards: Tensor
    backwards: Tensor
    trace: Tensor


@dataclass(frozen=True)
class OptimiserState(Rows):
    """first, second: [B, A], running moments of the gradient. step: [B] int64, updates made so far."""

    first: Tensor
    second: Tensor
    step: Tensor


def fresh_state(h_a: Tensor) -> OptimiserState:
    """The memory before the first update, for codes h_a [B, A]."""
    step = torch.zeros(len(h_a), dtype=torch.int64, device=h_a.device)
    return OptimiserState(torch.zeros_like(h_a), torch.zeros_like(h_a), step)


@dataclass(frozen=True)
class Slots(Rows):
    """One row a sample under attack.

    index: [n] int64. h_a: [n, A], where the next step evaluates. h_a0: [n, A], where it began.
    last_h_a: [n, A], the latest code with a finite error. best_h_a, best_error: the code with the
    largest error so far and that error [n] mm. initial_error: [n] mm and initial_frame: uint8
    [n, 3, H, W], the judge's at h_a0.
    iteration: [n] int64, updates made. judged: [n] int64, judge's passes. trace: see AttackResult.
    """

    index: Tensor
    scene: Scene
    h_a: Tensor
    h_a0: Tensor
    last_h_a: Tensor
    best_h_a: Tensor
    best_error: Tensor
    initial_error: Tensor
    initial_frame: Tensor
    state: OptimiserState
    iteration: Tensor
    judged: Tensor
    trace: Tensor

    @classmethod
    def begin(cls, index: Tensor, scene: Scene, h_a: Tensor, first: Verdict, max_steps: int) -> "Slots":
        """Samples before their first step. first: the judge's verdict on h_a."""
        n, device = len(index), h_a.device
        return cls(
            index=index,
            scene=scene,
            h_a=h_a,
            h_a0=h_a,
            last_h_a=h_a,
            best_h_a=h_a,
            best_error=torch.full((n,), -torch.inf, dtype=h_a.dtype, device=device),
            initial_error=first.error,
            initial_frame=first.frames,
            state=fresh_state(h_a),
            iteration=torch.zeros(n, dtype=torch.int64, device=device),
            judged=torch.ones(n, dtype=torch.int64, device=device),
            trace=torch.full((n, max_steps + 1), torch.nan, device=device),
        )

    def result(self, h_a: Tensor, verdict: Verdict, status: Tensor) -> AttackResult:
        """The rows as results: h_a [n, A] is the code handed out, `verdict` the judge's word on it,
        status [n] int8."""
        return AttackResult(
            index=self.index,
            success=status == Status.SUCCESS,
            status=status,
            iterations=self.iteration,
            initial_error_mm=self.initial_error,
            final_error_mm=verdict.error,
            h_a=h_a,
            h_a0=self.h_a0,
            h_p0=self.scene.pose_code,
            box=self.scene.box,
            mask=self.scene.mask,
            initial_frame=self.initial_frame,
            adversarial_frame=verdict.frames,
            initial_pose=self.scene.reference,
            final_pose=verdict.pose,
            forwards=self.iteration + 1 + self.judged,
            backwards=self.iteration + 1,
            trace=self.trace,
        )
