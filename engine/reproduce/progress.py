"""The bars that a person watches: one over all stages, one for the stage at work."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dpa.engine.reproduce.stage import Progress as Report
from dpa.engine.reproduce.stage import Stage


@contextmanager
def stage_progress() -> Iterator[Report]:
    """On stderr. Without a terminal, one line a stage."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        whole = bar.add_task("stages")
        current = bar.add_task("")
        shown: str | None = None

        def report(number: int, count: int, stage: Stage, reused: bool, done: int, total: int) -> None:
            nonlocal shown
            if stage.path != shown:
                shown = stage.path
                bar.update(whole, completed=number, total=count)
                bar.reset(current, description=stage.title, total=total)
                if not console.is_terminal:
                    console.print(f"{number + 1}/{count} {stage.title}" + (" (kept)" if reused else ""))
            bar.update(current, completed=done, total=total)
            if number + 1 == count and done == total:
                bar.update(whole, completed=count)

        yield report
