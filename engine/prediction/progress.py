"""The progress bar of `predict`, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dpa.engine.prediction.stream import Tally


@contextmanager
def frame_progress(total: int | None) -> Iterator[Callable[[Tally], None]]:
    """A bar over frames; `total` None shows only what is done. Gone when the block ends."""
    columns = (
        TextColumn("predicting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predicting", total=total, note="")

        def report(tally: Tally) -> None:
            note = f"{tally.images_per_s:,.0f} images/s"
            if tally.quarantined:
                note += f", {len(tally.quarantined)} unreadable"
            bar.update(task, completed=tally.predicted + len(tally.quarantined), note=note)

        yield report
