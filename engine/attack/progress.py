"""The bar that a person watches while an attack runs, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dpa.engine.attack.algorithm import Progress as Report

LINE_SECONDS = 60.0
"""Where stderr is a file, a line is written this often in place of a bar."""


@contextmanager
def attack_progress(samples: int) -> Iterator[Report]:
    """A bar with samples done, samples/s, success rate and time left. The first report says what an earlier
    part of the run has done; it does not count for the speed."""
    columns = (
        TextColumn("attack"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("attack", total=samples, note="")
        pace = Pace(samples)
        told = time.monotonic()

        def report(finished: int, succeeded: int) -> None:
            nonlocal told
            note = pace.note(finished, succeeded)
            bar.update(task, completed=finished, note=note)
            if not console.is_terminal and time.monotonic() - told >= LINE_SECONDS:
                told = time.monotonic()
                left = timedelta(seconds=round(pace.seconds_left(finished)))
                console.print(f"attack {finished}/{samples}, {note}, {left} left", highlight=False)

        yield report


class Pace:
    """Speed since the first call, which says where the count begins."""

    def __init__(self, samples: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._samples, self._clock = samples, clock
        self._first: tuple[int, float] | None = None

    def note(self, finished: int, succeeded: int) -> str:
        """Speed and success rate in words."""
        if self._first is None:
            self._first = finished, self._clock()
        speed = self._speed(finished)
        rate = f"success {100 * succeeded / finished:.1f} %" if finished else ""
        return f"{speed:.1f} samples/s, {rate}" if speed else rate

    def seconds_left(self, finished: int) -> float:
        """At the speed so far; 0 before there is one."""
        speed = self._speed(finished)
        return (self._samples - finished) / speed if speed else 0.0

    def _speed(self, finished: int) -> float:
        count, began = self._first or (finished, 0.0)
        return (finished - count) / max(self._clock() - began, 1e-9)


@contextmanager
def generation_progress(title: str = "making the evaluation set (once)") -> Iterator[Report]:
    """A bar for images being made; nothing is drawn until one is."""
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task("images")

    def report(done: int, images: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=images)

    try:
        yield report
    finally:
        bar.stop()
