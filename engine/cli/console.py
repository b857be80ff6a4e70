"""What a person sees while a command runs: progress on stderr, tables on stdout."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from dpa.models.training.record import Progress as TrainingProgress


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


@contextmanager
def fit_progress() -> Iterator[Callable[[str, int, int, str], None]]:
    """A bar for the regressor's fit, first for the codes that it is fitted on (`FitReport`)."""
    with _bar(Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int, note: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, note="")
            bar.update(tasks[what], completed=done, note=note)

        yield report


@contextmanager
def training_progress(steps: int) -> Iterator[Callable[["TrainingProgress"], None]]:
    """A bar for training; held-out figures are printed above it as they come. Without a terminal, one
    line a report."""
    console = Console(stderr=True)
    with _bar(console) as bar:
        task = bar.add_task("training", total=steps, note="")

        def report(progress: "TrainingProgress") -> None:
            note = "  ".join(f"{name} {value:.4g}" for name, value in progress.values.items())
            if any(name.startswith("held_out/") for name in progress.values) or not console.is_terminal:
                console.print(f"step {progress.step:>7}  {note}", highlight=False, soft_wrap=True)
            speed = progress.values.get("images_per_s")
            bar.update(task, completed=progress.step, note=f"{speed:.0f} images/s" if speed else "")

        yield report


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; the first column is a name, the others are figures."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
