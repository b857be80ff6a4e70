"""Views to shards, on one process or several. Kept apart from `run` so that a process that only reads
pictures imports neither torch nor pyarrow."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from .catalogue import View
from .errors import ReaderLost
from .fit import Fit
from .shard import Shard, make_shard


@dataclass(frozen=True)
class Task:
    """One view, its number in the import, and how its pictures are fitted to the stored size."""

    number: int
    view: View
    fit: Fit


def make_shards(folder: Path, tasks: Sequence[Task], workers: int) -> Iterator[Shard]:
    """Runs the tasks and yields each shard when it is done, in any order. An error in one stops the rest.

    Raises ReaderLost if a process ends without one.
    """
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from (_make(folder, task) for task in tasks)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _end_with_parent) as pool:
        waiting = {pool.submit(_make, folder, task): task for task in tasks}
        try:
            for done in as_completed(list(waiting)):
                yield done.result()
                del waiting[done]
        except BrokenProcessPool as error:
            raise ReaderLost([task.view.name for task in waiting.values()][: 2 * workers]) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make(folder: Path, task: Task) -> Shard:
    return make_shard(folder, task.number, task.view, task.fit)


def _end_with_parent() -> None:
    """A pool's processes outlive a parent that was killed, and would go on writing: these do not."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # only called in a pool's process

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
