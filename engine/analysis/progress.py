"""The bars that a person watches while analyses run, on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from dpa.engine.analysis.run import Progress as Report


@contextmanager
def analysis_progress() -> Iterator[Report]:
    """A bar for each analysis, from when it begins; the one before is then done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}

        def finish() -> None:
            for task in bar.tasks:
                bar.update(task.id, completed=task.total)

        def report(name: str, done: int, total: int) -> None:
            if name not in tasks:
                finish()
                tasks[name] = bar.add_task(name)
            bar.update(tasks[name], completed=done, total=total)

        yield report
        finish()
