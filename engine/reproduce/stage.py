"""A stage: work whose result is kept in a folder of its own, with a key of everything it was made from."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dpa import __version__
from dpa.engine.runs.directory import COMMAND, RunDirectory
from dpa.models.errors import InputError

KEY = "key.json"

Report = Callable[[int, int], None]
"""Called with (done, in all)."""


@dataclass(frozen=True)
class Stage:
    """path: of its folder below the whole's. inputs: plain values on which its result depends. command: what
    prints the same figures alone. work: does it, into the run directory."""

    path: str
    title: str
    inputs: Mapping[str, object]
    command: str
    work: Callable[[RunDirectory, Report], None]

    @property
    def key(self) -> str:
        """SHA-256 of the inputs and the package's version."""
        told = json.dumps({"version": __version__, "stage": self.path, **self.inputs}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


def is_done(stage: Stage, base: Path) -> bool:
    """Whether its folder holds a complete result of the same inputs."""
    folder = base / stage.path
    try:
        kept = json.loads((folder / KEY).read_text())
        return RunDirectory.open(folder).is_complete and kept.get("key") == stage.key
    except (OSError, ValueError, AttributeError, InputError):
        return False


def carry_out(stage: Stage, base: Path, report: Report) -> None:
    """Does it anew: what a killed run or other inputs left in its folder is removed first."""
    folder = base / stage.path
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    with RunDirectory.create(folder, "reproduce", dict(stage.inputs)) as run:
        run.write_text(COMMAND, stage.command + "\n")
        stage.work(run, report)
        seconds = round(time.perf_counter() - started, 2)
        run.write_json(KEY, {"key": stage.key, "seconds": seconds, "title": stage.title})
