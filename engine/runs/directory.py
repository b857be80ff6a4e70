"""A run directory: what a command was told, what it ran on, and what came out.

Every file in it is whole: it appears under its name only when it is on the disk. A run that was stopped
keeps what it had finished and is recognised by the file `incomplete`.
"""

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from dpa.engine.runs.environment import environment
from dpa.engine.runs.errors import IncompleteRun, NotARun, RunBusy, RunExists
from dpa.engine.runs.shards import (
    discard_shard,
    read_shard,
    read_shards,
    set_aside,
    shard_numbers,
    write_shard,
)
from dpa.models.atomic import disk_full_named, replacing, sync_folder, write_json, write_text
from dpa.models.config import to_yaml
from dpa.models.documents import BadDocument, read_json, read_yaml

CONFIG = "config.resolved.yaml"
ENVIRONMENT = "env.json"
COMMAND = "command.txt"
RESULTS = "results.json"
INCOMPLETE = "incomplete"
LOCK = ".lock"
UNFINISHED = "The run that writes here has not ended, or was stopped.\n"
PARTIAL = ".partial-*"  # what models.atomic has not finished


class RunDirectory:
    """A context manager: leaving its block without an exception marks the run as complete."""

    def __init__(self, path: Path) -> None:
        """Use `create` or `open`."""
        self.path = path

    @classmethod
    def create(cls, base: Path | None, command: str, config: Mapping[str, object]) -> "RunDirectory":
        """A new run directory at `base`, or at runs/COMMAND-TIME where None is given.

        config: every setting in force; plain values, as `model_dump(mode="json")` gives them.
        Raises RunExists if `base` is there and not empty, DiskFull.
        """
        path = _new_folder(command) if base is None else base
        with disk_full_named(path):
            path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise RunExists(path)
        run = cls(path)
        try:
            with disk_full_named(path), (path / INCOMPLETE).open("x") as file:
                file.write(UNFINISHED)
        except FileExistsError:  # another process was faster
            raise RunExists(path) from None
        run.write_text(CONFIG, to_yaml(config))
        run.write_json(ENVIRONMENT, environment())
        run.write_text(COMMAND, shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) + "\n")
        return run

    @classmethod
    def anew(cls, path: Path, command: str, config: Mapping[str, object]) -> "RunDirectory":
        """A new run in place of what an earlier call left there. Raises RunExists where that is no run."""
        if path.exists() and any(path.iterdir()):
            begun = [(path / name).is_file() for name in (INCOMPLETE, CONFIG)]
            if path.is_symlink() or not any(begun):
                raise RunExists(path)
            shutil.rmtree(path)
        return cls.create(path, command, config)

    @classmethod
    def open(cls, path: Path, *, incomplete: bool = False) -> "RunDirectory":
        """An existing run. `incomplete`: also one that was stopped. Raises NotARun, IncompleteRun."""
        if not path.is_dir():
            raise NotARun(path, "no such folder")
        for name in (CONFIG, ENVIRONMENT, COMMAND):
            if not (path / name).is_file():
                raise NotARun(path, f"no {name}")
        run = cls(path)
        if not (incomplete or run.is_complete):
            raise IncompleteRun(path)
        return run

    @property
    def is_complete(self) -> bool:
        """False while the run goes on and after it was stopped."""
        return not (self.path / INCOMPLETE).exists()

    def reopen(self) -> None:
        """Marks the run as incomplete, before something in it changes."""
        if self.is_complete:
            self._mark_incomplete()

    def _mark_incomplete(self) -> None:
        self.write_text(INCOMPLETE, UNFINISHED)

    def complete(self) -> None:
        """Marks the run as complete; the last thing that a run does."""
        (self.path / INCOMPLETE).unlink(missing_ok=True)
        sync_folder(self.path)

    def config(self) -> dict[str, object]:
        """The settings that were in force. Raises NotARun."""
        try:
            config = read_yaml(self.path / CONFIG)
        except (OSError, BadDocument) as error:
            raise NotARun(self.path, f"{CONFIG} cannot be read ({error})") from error
        if not isinstance(config, dict):
            raise NotARun(self.path, f"{CONFIG} holds no settings")
        return config

    def read_json(self, name: str) -> object:
        """What a JSON file of the run holds. Raises NotARun."""
        try:
            value: object = read_json(self.path / name)
        except (OSError, BadDocument) as error:
            raise NotARun(self.path, f"{name} cannot be read ({error})") from error
        return value

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary path, with the ending of `name`, that becomes `name` when the block ends well.

        `name` may lie in a sub-folder ("figures/grid.png"). Raises DiskFull.
        """
        target = self.path / name
        with disk_full_named(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            yield temporary

    def write_text(self, name: str, text: str) -> None:
        """A text file, whole or absent; an earlier one is replaced in one step. Raises DiskFull."""
        write_text(self.path / name, text)

    def write_json(self, name: str, value: object) -> None:
        """A JSON file, whole or absent. ValueError for NaN and infinity, which JSON has not. DiskFull."""
        write_json(self.path / name, value)

    def shard(self, name: str, index: int, table: Mapping[str, NDArray[np.generic]]) -> None:
        """Part number `index` of the growing table `name`; see `shards.write_shard`. Raises DiskFull."""
        write_shard(self.path / name, index, table)

    def shard_numbers(self, name: str) -> list[int]:
        """The parts of a table that are there, ascending: where a stopped run can go on."""
        return shard_numbers(self.path / name)

    def set_aside(self, name: str, index: int) -> None:
        """Puts part number `index` of a table, which is damaged, beside it under another name."""
        set_aside(self.path / name, index)

    def discard_shard(self, name: str, index: int) -> None:
        """Removes part number `index` of a table, if it is there."""
        discard_shard(self.path / name, index)

    def read_shard(
        self, name: str, index: int, columns: Sequence[str] | None = None
    ) -> dict[str, NDArray[np.generic]]:
        """One part of a table; only some columns, where they are named. Raises BadShard."""
        return read_shard(self.path / name, index, columns)

    def read_shards(self, name: str, columns: Sequence[str] | None = None) -> dict[str, NDArray[np.generic]]:
        """All parts of a table in order, put together; only some columns, where they are named. Raises
        BadShard."""
        return read_shards(self.path / name, columns)

    def remove_partial_files(self) -> None:
        """Removes what a killed process left half written. Only for who holds the run (see `holding`)."""
        for file in self.path.rglob(PARTIAL):
            file.unlink(missing_ok=True)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keeps other processes from writing to the run; the hold ends with the process, however that
        ends. Raises RunBusy. Without effect on systems that have no file locks."""
        lock = FileLock(self.path / LOCK, blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunBusy(self.path) from error
        except NotImplementedError:  # a file system without locks
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.complete()
        else:
            state = "" if self.is_complete else " (the run is marked as incomplete)"
            error.add_note(f"kept: {self.path}{state}")


def _new_folder(command: str) -> Path:
    """A new folder, of nobody else, in runs/ of the working directory."""
    first = Path("runs") / f"{command}-{datetime.now():%Y%m%d-%H%M%S}"
    path, number = first, 1
    first.parent.mkdir(exist_ok=True)
    while True:
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            path = first.with_name(f"{first.name}-{number}")
        else:
            return path
