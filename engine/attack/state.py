"""The tables of an attack, one row a sample: what stays fixed, what moves, and what is handed out."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Base of frozen dataclasses whose fields are tensors, or Rows, that share their first dimension."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, rows: slice) -> Self:
        return self.part(rows.start, rows.stop)

    def take(self, rows: Tensor) -> Self:
        """The rows named by an int64 index or a bool mask [n], in that order, as a copy."""
        taken = {}
        for field in fields(self):
            value = getattr(self, field.name)
            taken[field.name] = value.take(rows) if isinstance(value, Rows) else value[rows]
        return replace(self, **taken)

    def part(self, start: int, stop: int) -> Self:
        """The rows from `start` to `stop`, which are not copied: what is written there is written here."""
        return replace(self, **{name: value[start:stop] for name, value in self._values()})

    def put(self, rows: Tensor, other: Self) -> None:
        """Overwrites the rows named by int64 [n], in place, by those of `other`."""
        for (_, mine), (_, theirs) in zip(self._values(), other._values(), strict=True):
            if isinstance(mine, Rows):
                mine.put(rows, theirs)
            else:
                mine.index_copy_(0, rows, theirs)

    def put_where(self, mask: Tensor, other: Self) -> None:
        """Overwrites the rows where mask [n] is true, in place, by those of `other`, without asking how many
        they are."""
        for (_, mine), (_, theirs) in zip(self._values(), other._values(), strict=True):
            if isinstance(mine, Rows):
                mine.put_where(mask, theirs)
            else:
                mine.copy_(torch.where(mask.view(-1, *[1] * (mine.dim() - 1)), theirs, mine))

    def _values(self) -> list[tuple[str, Any]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

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
class FrameBatch:
    """Frames to be attacked. index: int64 [n], numbers of the samples, on the host. frames: on the device,
    [n, 3, H, W] in [0, 1], or uint8 [n, H, W, 3] as a store holds them. plate_index: [n] int64."""

    index: Tensor
    frames: Tensor
    plate_index: Tensor

    def __len__(self) -> int:
        return len(self.index)


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


class Outcome(IntEnum):
    """What became of a sample in its last step, before the judge has spoken."""

    GOES_ON = 0
    NOMINATED = 1
    """Above the threshold by the step's own word."""
    SPENT = 2
    NONFINITE = 3
    REJECTED = 4
    """Its start was not finite."""
    ABOVE = 5
    """Its start was above the threshold already."""


@dataclass(frozen=True)
class Slots(Rows):
    """One row a sample under attack; written in place.

    h_a: [n, A], where the next step evaluates. h_a0: [n, A], where it began.
    last_h_a: [n, A], the latest code with a finite error. best_h_a, best_error: the code with the
    largest error so far and that error [n] mm. initial_error: [n] mm, the judge's at h_a0.
    state: the optimiser's. error, gradient: the latest step's, [n] mm and [n, A].
    alive: [n] bool, whether it goes on climbing; outcome: [n] uint8, see Outcome, 0 while it does.
    iteration: [n] int64, updates made. judged: [n] int64, judge's passes. trace: see AttackResult.
    Frames are not among them: they are composed from the codes where they are wanted.
    """

    scene: Scene
    h_a: Tensor
    h_a0: Tensor
    last_h_a: Tensor
    best_h_a: Tensor
    best_error: Tensor
    initial_error: Tensor
    state: OptimiserState
    error: Tensor
    gradient: Tensor
    alive: Tensor
    outcome: Tensor
    iteration: Tensor
    judged: Tensor
    trace: Tensor

    @classmethod
    def begin(
        cls, scene: Scene, h_a: Tensor, initial_error: Tensor, max_steps: int, min_error_mm: float
    ) -> "Slots":
        """Samples before their first step. initial_error: the judge's at h_a. One whose start is not finite,
        or above the threshold already, never climbs."""
        n, device = len(h_a), h_a.device
        parts = (h_a, scene.pose_code, scene.mask, scene.box, scene.reference, initial_error)
        finite = torch.stack([part.isfinite().flatten(1).all(dim=1) for part in map(_two_dimensional, parts)])
        outcome = torch.where(initial_error > min_error_mm, Outcome.ABOVE, Outcome.GOES_ON)
        outcome = torch.where(finite.all(dim=0), outcome, Outcome.REJECTED).to(torch.uint8)
        alive = outcome == Outcome.GOES_ON
        trace = torch.full((n, max_steps + 1), torch.nan, device=device)
        trace[:, 0] = torch.where(alive, torch.nan, initial_error)
        return cls(
            scene=scene,
            h_a=h_a,
            h_a0=h_a,
            last_h_a=h_a,
            best_h_a=h_a,
            best_error=torch.full((n,), -torch.inf, dtype=h_a.dtype, device=device),
            initial_error=initial_error,
            state=fresh_state(h_a),
            error=torch.zeros_like(initial_error),
            gradient=torch.zeros_like(h_a),
            alive=alive,
            outcome=outcome,
            iteration=torch.zeros(n, dtype=torch.int64, device=device),
            judged=torch.ones(n, dtype=torch.int64, device=device),
            trace=trace,
        )

    def note(self, error: Tensor, gradient: Tensor, min_error_mm: float, max_steps: int) -> None:
        """Keeps, in place, what a step found out about each sample, error [n] mm and gradient [n, A], and
        decides who goes on."""
        finite = error.isfinite()
        sound = finite & gradient.isfinite().all(dim=1)
        seen = self.alive & finite
        better = seen & (error > self.best_error)
        best = torch.where(better, error, self.best_error)
        here = self.iteration[:, None]
        noted = torch.where(seen[:, None], best[:, None].to(self.trace), self.trace.gather(1, here))
        self.trace.scatter_(1, here, noted)
        self.best_error.copy_(best)
        self.best_h_a.copy_(torch.where(better[:, None], self.h_a, self.best_h_a))
        self.last_h_a.copy_(torch.where(seen[:, None], self.h_a, self.last_h_a))
        self.error.copy_(torch.where(self.alive, error, self.error))
        self.gradient.copy_(torch.where(self.alive[:, None], gradient, self.gradient))
        outcome = torch.where(self.iteration >= max_steps, Outcome.SPENT, Outcome.GOES_ON)
        outcome = torch.where(error > min_error_mm, Outcome.NOMINATED, outcome)
        outcome = torch.where(sound, outcome, Outcome.NONFINITE).to(self.outcome)
        self.outcome.copy_(torch.where(self.alive, outcome, self.outcome))
        self.alive.logical_and_(self.outcome == Outcome.GOES_ON)

    def move(self, h_a: Tensor, state: OptimiserState) -> None:
        """Takes an optimiser's update over, in place, for the samples that go on. h_a: [n, A]."""
        self.h_a.copy_(torch.where(self.alive[:, None], h_a, self.h_a))
        self.state.put_where(self.alive, state)
        self.iteration.add_(self.alive)

    def result(
        self, index: Tensor, h_a: Tensor, verdict: Verdict, before: Tensor, status: Tensor
    ) -> AttackResult:
        """The rows as results: index [n] int64, h_a [n, A] the code handed out, `verdict` the judge's word on
        it, before: uint8 [n, 3, H, W], the frames of h_a0, status [n] int8."""
        return AttackResult(
            index=index,
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
            initial_frame=before,
            adversarial_frame=verdict.frames,
            initial_pose=self.scene.reference,
            final_pose=verdict.pose,
            forwards=self.iteration + 1 + self.judged,
            backwards=self.iteration + 1,
            trace=self.trace,
        )


def _two_dimensional(part: Tensor) -> Tensor:
    return part[:, None] if part.dim() == 1 else part
