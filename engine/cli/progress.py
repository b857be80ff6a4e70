"""What a person sees while a command works, on stderr: a bar on a terminal; where stderr is a file or a pipe,
a line every ten seconds, whether or not the work has come further, so that long work is never silent.

Rooms that compute take callbacks and know nothing of this. Each function here shows one kind of work.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

    from dpa.engine.prediction.stream import Tally
    from dpa.engine.reproduce.stage import Progress as Staging
    from dpa.engine.reproduce.stage import Stage
    from dpa.models.training.record import Progress as TrainingProgress

EVERY_SECONDS = 10.0


class Show(Protocol):
    """What work is shown on."""

    def __call__(self, what: str, done: int, total: int | None, note: str = "") -> None:
        """`done` of `total` pieces (None: unknown) of the work named `what`, whatever else to say of it."""

    def say(self, line: str) -> None:
        """A line that stays."""


@dataclass
class Work:
    """The piece of work that goes on. first: the count that it was first told with, and when."""

    what: str
    done: int
    total: int | None
    note: str
    first: tuple[int, float]

    def line(self, now: float) -> str:
        """As 'attack 12/256, success 98 %, 0:01:20 left'; without a count, how long it has taken."""
        counted = f"{self.what} {self.done}/{self.total}" if self.total else self.what
        count, began = self.first
        gained, spent = self.done - count, max(now - began, 0.0)
        if self.total and self.done >= self.total:
            time_told = "finishing"
        elif self.total and gained > 0:
            left = timedelta(seconds=round((self.total - self.done) * spent / gained))
            time_told = f"{left} left"
        else:
            time_told = f"{timedelta(seconds=round(spent))} so far"
        return ", ".join(part for part in (counted, self.note, time_told) if part)


class Lines:
    """Shows work as lines."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._work: Work | None = None

    def __call__(self, what: str, done: int, total: int | None, note: str = "") -> None:
        first = (done, self._clock())
        if self._work is not None and self._work.what == what:
            first = self._work.first
        self._work = Work(what, done, total, note, first)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._write(line)

    def beat(self) -> None:
        """Called every EVERY_SECONDS: writes how far the work is."""
        if self._work is not None:
            self._write(self._work.line(self._clock()))


class ProgressBars:
    """Shows work as bars, one for each piece of it; those before the last one are done."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TaskID,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console, self._tasks = console, dict[str, TaskID]()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )

    def __call__(self, what: str, done: int, total: int | None, note: str = "") -> None:
        self._bars.start()
        if what not in self._tasks:
            for task in self._bars.tasks:
                self._bars.update(task.id, completed=task.total)
            self._tasks[what] = self._bars.add_task(what, note="")
        self._bars.update(self._tasks[what], completed=done, total=total, note=note)

    def say(self, line: str) -> None:
        """A line that stays, above the bars."""
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def stop(self) -> None:
        """Leaves the bars as they are."""
        self._bars.stop()


class Silence:
    """Shows nothing: with --quiet."""

    def __call__(self, what: str, done: int, total: int | None, note: str = "") -> None:
        pass

    def say(self, line: str) -> None:
        pass


@contextmanager
def shown(what: str = "") -> Iterator[Show]:
    """Shows work until the block ends. what: the work that is known to go on before any of it is told."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    if logging.getLogger("dpa").getEffectiveLevel() > logging.WARNING:
        yield Silence()
    elif console.is_terminal:
        bars = ProgressBars(console)
        if what:
            bars(what, 0, None)
        try:
            yield bars
        finally:
            bars.stop()
    else:
        with _beating(Lines(console.print)) as lines:
            if what:
                lines(what, 0, None)
            yield lines


@contextmanager
def _beating(lines: Lines) -> Iterator[Lines]:
    over = threading.Event()

    def beat() -> None:
        while not over.wait(EVERY_SECONDS):
            lines.beat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        over.set()
        thread.join()


def of_counts(show: Show, what: str) -> Callable[[int, int], None]:
    """Of work that tells (done, in all)."""
    return lambda done, total: show(what, done, total)


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """`of_counts`, where nothing is shown until some of the work is done."""
    with shown() as show:
        yield of_counts(show, what)


@contextmanager
def making_evaluation_set() -> Iterator[Callable[[int, int], None]]:
    """Of the default evaluation set, which is made once and kept."""
    with counted("making the evaluation set (once)") as report:
        yield report


def of_attack(show: Show, samples: int | None) -> Callable[[int, int], None]:
    """Of an attack, which tells (finished, succeeded); its first report says what an earlier part of the run
    has done, which does not count for the speed. samples: None where their number is not known."""
    pace = Pace()
    return lambda finished, succeeded: show("attack", finished, samples, pace.note(finished, succeeded))


class Pace:
    """Speed since the first call, which says where the count begins."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def note(self, finished: int, succeeded: int) -> str:
        """Speed and success rate in words."""
        if self._first is None:
            self._first = finished, self._clock()
        count, began = self._first
        speed = (finished - count) / max(self._clock() - began, 1e-9)
        rate = f"success {100 * succeeded / finished:.1f} %" if finished else ""
        return f"{speed:.1f} samples/s, {rate}" if speed else rate


def of_stages(show: Show) -> "Staging":
    """Of the stages of a reproduction. A line says when each begins."""
    told = ""

    def report(number: int, count: int, stage: "Stage", reused: bool, done: int, total: int) -> None:
        nonlocal told
        if stage.path != told:
            told = stage.path
            show.say(f"{number + 1}/{count} {stage.title}" + (" (kept)" if reused else ""))
        show(stage.title, done, total)

    return report


def of_training(show: Show) -> "Callable[[TrainingProgress], None]":
    """Of a training. Held-out figures stay as lines."""

    def report(progress: "TrainingProgress") -> None:
        words = "  ".join(f"{name} {value:.4g}" for name, value in progress.values.items())
        if any(name.startswith("held_out/") for name in progress.values):
            show.say(f"step {progress.step:>7}  {words}")
        speed = progress.values.get("images_per_s")
        show("training", progress.step, progress.steps, f"{speed:.0f} images/s" if speed else "")

    return report


def of_frames(show: Show, total: int | None) -> "Callable[[Tally], None]":
    """Of a stream of frames; `total` None where their number is not known."""

    def report(tally: "Tally") -> None:
        note = f"{tally.images_per_s:,.0f} images/s"
        if tally.quarantined:
            note += f", {len(tally.quarantined)} unreadable"
        show("predicting", tally.predicted + len(tally.quarantined), total, note)

    return report
