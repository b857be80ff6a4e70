"""Continuous batching: a slot whose sample is done hands it out and takes the next one at once."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dpa.engine.attack.calls import OutOfMemory, attempt
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.optimisers import Update
from dpa.engine.attack.state import AttackResult, Slots, Status, Verdict
from dpa.engine.attack.steps.eager import StepBackend, StepResult, evaluate

AT_ONCE = 32
"""Results that are handed out together: bounds the full-resolution frames in memory."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scheduler:
    """Runs every sample of a queue to its end, `batch` at a time.

    A plain loop keeps its whole batch until the last sample is done; here none waits for another. At
    the tail, when the queue is empty, the batch shrinks. No row of a step depends on another row, so a
    sample's result is its own, up to the rounding of batched kernels (see `buckets` and the tests).
    Where memory does not suffice for a step, half of the batch waits with all that it has reached.
    """

    backend: StepBackend
    judge: Judge
    update: Update
    min_error_mm: float
    max_steps: int
    batch: int

    def run(self, queue: Iterator[Slots], finish: Callable[[AttackResult], None]) -> None:
        """queue: samples ready to begin, in groups of any size; `finish` gets results as they come, in
        groups of at most AT_ONCE. Raises OutOfMemory."""
        waiting: list[Slots] = []
        active: Slots | None = None
        batch = self.batch
        while True:
            active, waiting = self._refill(active, waiting, queue, batch)
            if active is None:
                return
            step, complaint = self._step(active, batch)
            if step is None:
                batch = self._smaller(len(active), complaint)
                order = torch.arange(len(active), device=active.h_a.device)
                waiting.append(active.take(order[batch:]))
                active = active.take(order[:batch])
                continue
            active = self._observe(active, step)
            active, leaving = self._leave(active, step, finish)
            active = self._advance(active, step, ~leaving)

    def _step(self, active: Slots, batch: int) -> tuple[StepResult | None, str]:
        """One step of every sample; None and the complaint where memory ran out."""
        backend = self.backend.at_most(batch)
        return attempt(lambda: evaluate(backend, active.h_a, active.scene), active.h_a.device)

    def _smaller(self, rows: int, complaint: str) -> int:
        """The batch to go on with after memory ran out with `rows` samples. Raises OutOfMemory."""
        if rows <= self.backend.sizes[0]:
            raise OutOfMemory(self.backend.sizes[0], complaint)
        log.warning("out of memory with %d samples at once, going on with %d: %s", rows, rows // 2, complaint)
        return rows // 2

    def _refill(
        self, active: Slots | None, waiting: list[Slots], queue: Iterator[Slots], batch: int
    ) -> tuple[Slots | None, list[Slots]]:
        """Fills free slots; what does not fit of the last group waits. None when no sample is left."""
        parts = [] if active is None or not len(active) else [active]
        while (free := batch - sum(map(len, parts))) > 0:
            group = waiting.pop() if waiting else next(queue, None)
            if group is None:
                break
            order = torch.arange(len(group), device=group.h_a.device)
            parts.append(group.take(order[:free]))
            if len(group) > free:
                waiting.append(group.take(order[free:]))
        if len(parts) == 1:
            return parts[0], waiting
        return (Slots.cat(parts) if parts else None), waiting

    def _observe(self, slots: Slots, step: StepResult) -> Slots:
        """Notes what the step found out about each sample."""
        finite = step.error.isfinite()
        better = finite & (step.error > slots.best_error)
        best = torch.where(better, step.error, slots.best_error)
        trace = slots.trace.clone()
        here = finite.nonzero()[:, 0]
        trace[here, slots.iteration[here]] = best[here].to(trace.dtype)
        return replace(
            slots,
            last_h_a=torch.where(finite[:, None], slots.h_a, slots.last_h_a),
            best_h_a=torch.where(better[:, None], slots.h_a, slots.best_h_a),
            best_error=best,
            trace=trace,
        )

    def _leave(
        self, slots: Slots, step: StepResult, finish: Callable[[AttackResult], None]
    ) -> tuple[Slots, Tensor]:
        """Hands out the samples that are done; returns the slots and which of them are done, [n] bool.

        The step's own error only nominates; the judge confirms, and an unconfirmed sample goes on.
        """
        sound = step.error.isfinite() & step.gradient.isfinite().all(dim=1)
        nominated = (sound & (step.error > self.min_error_mm)).nonzero()[:, 0]
        confirmed = torch.zeros_like(sound)
        if len(nominated):
            verdict = self.judge(slots.h_a[nominated], slots.scene.take(nominated))
            passed = verdict.error > self.min_error_mm
            confirmed[nominated] = passed
            judged = slots.judged.index_add(0, nominated, torch.ones_like(nominated))
            slots = replace(slots, judged=judged)
            self._hand_out(slots.take(nominated[passed]), verdict.take(passed), finish)
        spent = sound & ~confirmed & (slots.iteration >= self.max_steps)
        for ended, status, codes in (
            (spent, Status.FAILED, slots.best_h_a),
            (~sound, Status.NONFINITE, slots.last_h_a),
        ):
            for rows in torch.split(ended.nonzero()[:, 0], AT_ONCE):
                if len(rows):
                    self._hand_out_unconfirmed(slots.take(rows), codes[rows], status, finish)
        return slots, confirmed | spent | ~sound

    def _hand_out(self, slots: Slots, verdict: Verdict, finish: Callable[[AttackResult], None]) -> None:
        for rows in torch.split(torch.arange(len(slots), device=slots.h_a.device), AT_ONCE):
            if len(rows):
                part = slots.take(rows)
                status = torch.full_like(rows, Status.SUCCESS, dtype=torch.int8)
                finish(part.result(part.h_a, verdict.take(rows), status))

    def _hand_out_unconfirmed(
        self, slots: Slots, h_a: Tensor, status: Status, finish: Callable[[AttackResult], None]
    ) -> None:
        """A failed sample's best code is judged too: a coarse step may have thought it worse than it is."""
        verdict = self.judge(h_a, slots.scene)
        statuses = torch.full_like(slots.index, status, dtype=torch.int8)
        if status is Status.FAILED:
            # no optimiser leaves its place without a gradient: this sample was never attacked
            still = (slots.h_a == slots.h_a0).all(dim=1) & (slots.iteration > 0)
            statuses[still] = Status.NO_GRADIENT
            statuses[verdict.error > self.min_error_mm] = Status.SUCCESS
        finish(replace(slots, judged=slots.judged + 1).result(h_a, verdict, statuses))

    def _advance(self, slots: Slots, step: StepResult, staying: Tensor) -> Slots:
        """One update of the samples that stay; the others are dropped."""
        rows = staying.nonzero()[:, 0]
        kept = slots if len(rows) == len(slots) else slots.take(rows)
        h_a, state = self.update(kept.h_a, step.gradient[rows], step.error[rows], kept.state)
        return replace(kept, h_a=h_a, state=state, iteration=kept.iteration + 1)
