"""The bar that a person watches while an attack runs, on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dpa.engine.attack.algorithm import Progress as Report


@contextmanager
def attack_progress(samples: int) -> Iterator[Report]:
    """A bar with samples done, samples/s, success rate and time left."""
    columns = (
        TextColumn("attack"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("attack", total=samples, note="")
        started = time.perf_counter()

        def report(finished: int, succeeded: int) -> None:
            speed = finished / (time.perf_counter() - started)
            note = f"{speed:.1f} samples/s, success {100 * succeeded / finished:.1f} %"
            bar.update(task, completed=finished, note=note)

        yield report


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
