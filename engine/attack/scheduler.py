"""Continuous batching: a slot whose sample is done hands it out and takes the next one at once.

The slots are one table that is written in place. The device decides by masks which samples go on; the host
learns it from a few bytes, on a GPU an iteration late, so that it never stands between two steps: a sample
that has ended by then lies still in its slot for one step.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dpa.engine.attack.calls import OutOfMemory, attempt, cut
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.optimisers import Update
from dpa.engine.attack.state import AttackResult, Outcome, Slots, Status, Verdict
from dpa.engine.attack.steps.eager import StepBackend, StepResult
from dpa.models.devices import Download, is_gpu, upload

AT_ONCE = 32
"""Samples that are prepared, judged and handed out together: bounds the full-resolution frames in memory."""

PATIENCE = 8
"""Iterations after which results are handed out although they are fewer than AT_ONCE."""

log = logging.getLogger(__name__)

Sink = Callable[[AttackResult, list[int], list[Status]], None]
"""Takes results over, with what the host knows of them without asking the device: numbers of the samples and
how they ended."""


@dataclass(frozen=True)
class Prepared:
    """numbers: of the samples in their source. slots: a row each."""

    numbers: list[int]
    slots: Slots

    def part(self, start: int, stop: int) -> "Prepared":
        """Some of them."""
        return Prepared(self.numbers[start:stop], self.slots.part(start, stop))


@dataclass(frozen=True)
class Judged:
    """Samples that left their slots. outcomes: of each, as the host knows them. h_a: the code that the judge
    saw. ruling: uint8 [n] on the device, see Scheduler._judge."""

    numbers: list[int]
    outcomes: list[int]
    slots: Slots
    h_a: Tensor
    verdict: Verdict
    ruling: Tensor


@dataclass(frozen=True)
class Note:
    """What the host has asked the device: of the samples in slots then, of those that the judge has seen
    since, and of groups that were prepared."""

    download: Download
    tickets: list[int]
    judged: list[Judged]
    ahead: list[Prepared]


@dataclass(frozen=True)
class Ended:
    """Samples with their last word."""

    numbers: list[int]
    statuses: list[Status]
    slots: Slots
    h_a: Tensor
    verdict: Verdict


@dataclass(frozen=True)
class Scheduler:
    """Runs every sample of a queue to its end, `batch` at a time.

    A plain loop keeps its whole batch until the last sample is done; here none waits for another. At
    the tail, when the queue is empty, the batch shrinks. No row of a step depends on another row, so a
    sample's result is its own, up to the rounding of batched kernels (see `calls` and the tests).
    Where memory does not suffice for a step, half of the batch waits with all that it has reached.
    """

    backend: StepBackend
    judge: Judge
    update: Update
    min_error_mm: float
    max_steps: int
    batch: int

    def run(self, queue: Iterator[Prepared], finish: Sink) -> None:
        """queue: samples ready to begin, in groups of any size; `finish` gets results as they come, in
        groups of at most AT_ONCE. Raises OutOfMemory."""
        _Run(self, queue, finish).to_the_end()

    def advance(self, slots: Slots) -> None:
        """One update of the samples that go on, in place."""
        slots.move(*self.update(slots.h_a, slots.gradient, slots.error, slots.state))


GOES_ON, SUCCESS, FAILED, STILL = 0, 1, 2, 3
"""A ruling: back into a slot; above the threshold; spent below it; spent where it began."""

WITHOUT_RULING: Mapping[int, Status] = {
    Outcome.NONFINITE: Status.NONFINITE,
    Outcome.REJECTED: Status.NONFINITE,
    Outcome.ABOVE: Status.STARTED_ABOVE,
}
ENDS = {SUCCESS: Status.SUCCESS, FAILED: Status.FAILED, STILL: Status.NO_GRADIENT}


class _Run:
    """One call of Scheduler.run. The samples in slots are the table's first rows, without a gap while a step
    runs; `tickets` tells which sample is in which row, each time it enters with a number of its own."""

    def __init__(self, scheduler: Scheduler, queue: Iterator[Prepared], finish: Sink) -> None:
        self.plan, self.queue, self.finish = scheduler, queue, finish
        self.batch = scheduler.batch
        self.table: Slots | None = None
        self.tickets: list[int] = []
        self.numbers: dict[int, int] = {}  # ticket → sample
        self.issued = 0
        self.waiting: list[Prepared] = []
        self.judged: list[Judged] = []  # rulings that no note has asked for
        self.ahead: list[Prepared] = []  # of which nobody knows yet who can be attacked
        self.notes: deque[Note] = deque()
        self.late = 0  # notes that are read an iteration after they were asked for
        self.ended: list[Ended] = []
        self.patience = PATIENCE

    def to_the_end(self) -> None:
        while self._fill():
            if self.tickets and not self._step():
                continue
            self._note()
            self._read(self.late if self.tickets else 0)
            self._hand_out()
        self._hand_out(all_of_them=True)

    # -- samples enter

    def _fill(self) -> bool:
        """Closes the gaps of samples that left, with new ones first. Whether there is anything to do."""
        self._let_in()
        self._prepare()
        if self.ahead and not (self.tickets and self.late):  # nothing is kept waiting by asking at once
            self._note()
            self._read(0)
            self._let_in()
        self._close()
        return bool(self.tickets or self.notes or self.judged or self.ahead or self.waiting)

    def _let_in(self) -> None:
        """Samples that wait into free slots."""
        gaps = [row for row, ticket in enumerate(self.tickets) if ticket < 0]
        while self.waiting and (free := len(gaps) + self.batch - len(self.tickets)) > 0:
            group = self.waiting.pop()
            taken = min(free, len(group.numbers))
            rows, gaps = gaps[:taken], gaps[taken:]
            rows += range(len(self.tickets), len(self.tickets) + taken - len(rows))
            self._enter(rows, group.part(0, taken))
            if taken < len(group.numbers):
                self.waiting.append(group.part(taken, len(group.numbers)))

    def _prepare(self) -> None:
        """New groups for the slots that are free, and one ahead where the host learns late how they begin;
        none while much has left its slot and is not handed out yet."""
        wanted = self.batch - sum(ticket >= 0 for ticket in self.tickets) + AT_ONCE * self.late
        groups = [*self.waiting, *self.ahead, *(one for note in self.notes for one in note.ahead)]
        judged = [*self.judged, *(one for note in self.notes for one in note.judged)]
        leaving = sum(len(one.numbers) for one in self.ended) + sum(len(one.numbers) for one in judged)
        while leaving <= AT_ONCE and sum(len(one.numbers) for one in groups) < wanted:
            group = next(self.queue, None)
            if group is None:
                return
            self.late = int(is_gpu(group.slots.device))
            self.ahead.append(group)
            groups.append(group)

    def _enter(self, rows: list[int], group: Prepared) -> None:
        if self.table is None:  # spare rows hold samples too: a call may run over them
            spare = torch.zeros(self._capacity(), dtype=torch.int64, device=group.slots.device)
            self.table = group.slots.take(spare)
        self.table.put(_index(rows, self.table), group.slots)
        self.tickets += [-1] * (max(rows) + 1 - len(self.tickets))
        for row, number in zip(rows, group.numbers, strict=True):
            self.issued += 1
            self.tickets[row] = self.issued
            self.numbers[self.issued] = number

    def _close(self) -> None:
        """Moves the last samples into the gaps."""
        moves = []
        for gap in [row for row, ticket in enumerate(self.tickets) if ticket < 0]:
            while self.tickets and self.tickets[-1] < 0:
                self.tickets.pop()
            if gap < len(self.tickets):
                moves.append((len(self.tickets) - 1, gap))
                self.tickets[gap] = self.tickets.pop()
        if moves and self.table is not None:
            self.table.put(
                _index([gap for _, gap in moves], self.table),
                self.table.take(_index([last for last, _ in moves], self.table)),
            )

    def _capacity(self) -> int:
        sizes = self.plan.backend.sizes
        return max(sum(size for _, size in cut(rows, sizes)) for rows in range(1, self.batch + 1))

    # -- a step

    def _step(self) -> bool:
        """One step of every sample in a slot; whether memory sufficed. If not, half of the batch waits."""
        assert self.table is not None
        table, count = self.table, len(self.tickets)
        backend = self.plan.backend.at_most(self.batch)

        def work() -> StepResult:
            parts, start = [], 0
            for taken, size in cut(count, backend.sizes):
                call = table.part(start, start + size)
                parts.append(backend.step(call.h_a, call.scene).part(0, taken))
                start += taken
            return parts[0] if len(parts) == 1 else StepResult.cat(parts)

        step, complaint = attempt(work, table.device)
        if step is None:
            self._make_do_with_less(complaint)
            return False
        slots = table.part(0, count)
        slots.note(step.error, step.gradient, self.plan.min_error_mm, self.plan.max_steps)
        self.plan.advance(slots)
        return True

    def _make_do_with_less(self, complaint: str) -> None:
        """Raises OutOfMemory where the batch is the smallest already."""
        self._read(0)
        self._fill()
        rows = len(self.tickets)
        if not rows:
            return
        if rows <= self.plan.backend.sizes[0]:
            raise OutOfMemory(self.plan.backend.sizes[0], complaint)
        log.warning("out of memory with %d samples at once, going on with %d: %s", rows, rows // 2, complaint)
        self.batch = rows // 2
        over = list(range(self.batch, rows))
        assert self.table is not None
        numbers = [self.numbers.pop(self.tickets[row]) for row in over]
        self.waiting.append(Prepared(numbers, self.table.take(_index(over, self.table))))
        del self.tickets[self.batch :]

    # -- what the host learns

    def _note(self) -> None:
        """Asks, in one download, for the outcomes of this step, for the rulings since the last note, and how
        new groups begin."""
        asked = [one.ruling for one in self.judged] + [group.slots.outcome for group in self.ahead]
        if self.table is not None:
            asked.append(self.table.outcome[: len(self.tickets)].clone())
        if asked:
            self.notes.append(Note(Download(*asked), list(self.tickets), self.judged, self.ahead))
        self.judged, self.ahead = [], []

    def _read(self, late: int) -> None:
        """Acts on all notes but the `late` last ones; what they give rise to is read at once where nothing
        is late."""
        while len(self.notes) > late:
            note = self.notes.popleft()
            values = [tensor.tolist() for tensor in note.download.read()]
            for one in note.judged:
                self._act(one, values.pop(0))
            for group in note.ahead:
                self._sort(group, values.pop(0))
            if values:
                self._take_out(note.tickets, values.pop(0))
            if self.judged and not late:
                self._note()

    def _sort(self, group: Prepared, outcomes: list[int]) -> None:
        """Samples that cannot climb never enter a slot: their scene may hold what no step survives."""
        climb = [row for row, outcome in enumerate(outcomes) if outcome == Outcome.GOES_ON]
        rest = [row for row, outcome in enumerate(outcomes) if outcome != Outcome.GOES_ON]
        if rest:
            numbers, ends = [group.numbers[row] for row in rest], [outcomes[row] for row in rest]
            self._judge(numbers, ends, group.slots.take(_index(rest, group.slots)))
            group = Prepared(
                [group.numbers[row] for row in climb], group.slots.take(_index(climb, group.slots))
            )
        if climb:
            self.waiting.insert(0, group)

    def _take_out(self, tickets: list[int], outcomes: list[int]) -> None:
        """Whoever ended, from slot to judge."""
        if self.table is None:
            return
        place = {ticket: row for row, ticket in enumerate(self.tickets)}
        rows, numbers, ends = [], [], []
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if outcome != Outcome.GOES_ON and ticket in self.numbers:
                rows.append(place[ticket])
                numbers.append(self.numbers.pop(ticket))
                ends.append(outcome)
        for row in rows:
            self.tickets[row] = -1
        for start in range(0, len(rows), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            self._judge(numbers[some], ends[some], self.table.take(_index(rows[some], self.table)))

    def _judge(self, numbers: list[int], outcomes: list[int], slots: Slots) -> None:
        """The step's own error only nominates; the judge confirms, and an unconfirmed sample goes on. A
        failed sample's best code is judged too: a coarse step may have thought it worse than it is."""
        nominated, spent = slots.outcome == Outcome.NOMINATED, slots.outcome == Outcome.SPENT
        h_a = torch.where(spent[:, None], slots.best_h_a, slots.last_h_a)
        h_a = torch.where(nominated[:, None], slots.h_a, h_a)
        verdict = self.plan.judge(h_a, slots.scene)
        over = slots.iteration >= self.plan.max_steps
        # no optimiser leaves its place without a gradient: such a sample was never attacked
        still = spent & (slots.h_a == slots.h_a0).all(dim=1) & (slots.iteration > 0)
        ruling = torch.where(nominated & ~over, GOES_ON, torch.where(still, STILL, FAILED))
        ruling = torch.where(verdict.error > self.plan.min_error_mm, SUCCESS, ruling)
        judged = slots.judged + (slots.outcome < Outcome.REJECTED)  # whose first verdict was the last
        slots = replace(slots, judged=judged)
        self.judged.append(Judged(numbers, outcomes, slots, h_a, verdict, ruling.to(torch.uint8)))

    def _act(self, one: Judged, rulings: list[int]) -> None:
        """What the judge's rulings mean for samples that had come to these outcomes."""
        ended: list[int] = []
        again: list[int] = []
        spent: list[int] = []
        statuses: list[Status] = []
        for row, (outcome, ruling) in enumerate(zip(one.outcomes, rulings, strict=True)):
            if outcome in WITHOUT_RULING:
                ended.append(row)
                statuses.append(WITHOUT_RULING[outcome])
            elif ruling == SUCCESS or outcome == Outcome.SPENT:
                ended.append(row)
                statuses.append(ENDS[ruling])
            else:
                (spent if ruling == FAILED else again).append(row)
        if ended:
            rows, numbers = _index(ended, one.slots), [one.numbers[row] for row in ended]
            slots, verdict = one.slots.take(rows), one.verdict.take(rows)
            self.ended.append(Ended(numbers, statuses, slots, one.h_a[rows], verdict))
        if again:
            slots = one.slots.take(_index(again, one.slots))
            slots.alive.fill_(True)
            slots.outcome.fill_(Outcome.GOES_ON)
            self.plan.advance(slots)
            self.waiting.append(Prepared([one.numbers[row] for row in again], slots))
        if spent:
            slots = one.slots.take(_index(spent, one.slots))
            slots.outcome.fill_(Outcome.SPENT)
            self._judge([one.numbers[row] for row in spent], [Outcome.SPENT] * len(spent), slots)

    # -- results leave

    def _hand_out(self, all_of_them: bool = False) -> None:
        """Results in groups, as many as AT_ONCE or after some PATIENCE: each group makes its receiver wait
        for the device, and its frames are composed together."""
        self.patience -= 1
        count = sum(len(one.numbers) for one in self.ended)
        if not count or not (all_of_them or count >= AT_ONCE or self.patience <= 0):
            return
        self.patience = PATIENCE
        ended, self.ended = self.ended, []
        numbers = [number for one in ended for number in one.numbers]
        statuses = [status for one in ended for status in one.statuses]
        slots, verdict = Slots.cat([one.slots for one in ended]), Verdict.cat([one.verdict for one in ended])
        h_a = torch.cat([one.h_a for one in ended])
        index = upload(torch.tensor(numbers, dtype=torch.int64), h_a.device)
        status = upload(torch.tensor(statuses, dtype=torch.int8), h_a.device)
        for start in range(0, count, AT_ONCE):
            some = slice(start, min(start + AT_ONCE, count))
            part = slots[some]
            before = self.plan.judge.paint(part.h_a0, part.scene)
            result = part.result(index[some], h_a[some], verdict[some], before, status[some])
            self.finish(result, numbers[some], statuses[some])


def _index(rows: list[int], like: Slots) -> Tensor:
    return upload(torch.tensor(rows, dtype=torch.int64), like.device)
