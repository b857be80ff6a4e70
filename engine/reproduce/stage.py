"""A stage: work whose result is kept in a folder of its own, with a key of everything it was made from."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpa import __version__
from dpa.engine.runs.directory import COMMAND, RunDirectory
from dpa.engine.runs.errors import OtherInputs
from dpa.models.documents import read_json
from dpa.models.errors import InputError

KIND = "a reproduction or a calibration"
"""What the folder is that holds the stages' folders, for its marker."""

KEY = "key.json"
BEGUN = "begun.json"
"""The key of what a folder was begun with, before there is a result."""

Report = Callable[[int, int], None]
"""Called with (done, in all)."""


@dataclass(frozen=True)
class Stage:
    """path: of its folder below the whole's. inputs: plain values on which its result depends. command: what
    prints the same figures alone. work: does it, into the run directory. resumes: whether the work goes on
    from what it left in the folder when it was killed."""

    path: str
    title: str
    inputs: Mapping[str, object]
    command: str
    work: Callable[[RunDirectory, Report], None]
    resumes: bool = False

    @property
    def key(self) -> str:
        """SHA-256 of the inputs and the package's version."""
        told = json.dumps({"version": __version__, "stage": self.path, **self.inputs}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


Progress = Callable[[int, int, Stage, bool, int, int], None]
"""Called with (stages before this one, in all, the stage, whether its result is reused, done and in all
within it)."""


def is_done(stage: Stage, base: Path) -> bool:
    """Whether its folder holds a complete result of the same inputs."""
    folder = base / stage.path
    try:
        return RunDirectory.open(folder).is_complete and _key_in(folder / KEY) == stage.key
    except InputError:
        return False


def _key_in(path: Path) -> str | None:
    try:
        return str(read_json(path)["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def carry_out(stage: Stage, base: Path, report: Report) -> None:
    """Does it. What other inputs left in its folder is removed first, and what a killed run left, unless the
    stage resumes."""
    folder = base / stage.path
    try:
        _work_in(_run_of(stage, folder), stage, report)
    except OtherInputs:  # it was killed, and since then something changed that is not in its key
        _work_in(_new_run(stage, folder), stage, report)


def _work_in(run: RunDirectory, stage: Stage, report: Report) -> None:
    started = time.perf_counter()
    with run:
        stage.work(run, report)
        seconds = round(time.perf_counter() - started, 2)
        run.write_json(KEY, {"key": stage.key, "seconds": seconds, "title": stage.title})


def carry_out_missing(stages: Sequence[Stage], base: Path, progress: Progress | None = None) -> int:
    """Carries out what `base` does not hold yet, in order. Returns how many stages that was."""
    made = 0
    for number, stage in enumerate(stages):
        reused = is_done(stage, base)

        def report(
            done: int, total: int, number: int = number, stage: Stage = stage, reused: bool = reused
        ) -> None:
            if progress is not None:
                progress(number, len(stages), stage, reused, done, total)

        report(0, 1)
        if not reused:
            carry_out(stage, base, report)
            made += 1
        report(1, 1)
    return made


def _run_of(stage: Stage, folder: Path) -> RunDirectory:
    """The stopped run of the same inputs, or a new one."""
    if stage.resumes and _key_in(folder / BEGUN) == stage.key:
        run = RunDirectory.open(folder, incomplete=True)
        run.reopen()
        return run
    return _new_run(stage, folder)


def _new_run(stage: Stage, folder: Path) -> RunDirectory:
    run = RunDirectory.anew(folder, "reproduce", dict(stage.inputs))
    run.write_text(COMMAND, stage.command + "\n")
    run.write_json(BEGUN, {"key": stage.key})
    return run
