"""What can be wrong with a run directory: one named error each."""

from pathlib import Path

from dpa.models.errors import InputError


class NotARun(InputError):
    """The folder was not made by a run, or what it holds cannot be read."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            found=f"{path}: {found}",
            expected="a run directory, with config.resolved.yaml, env.json and command.txt",
            remedy="give the folder that the run printed when it began (runs/COMMAND-TIME by default)",
        )


class RunExists(InputError):
    """A new run was to be written into a folder that already holds something."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            found=f"{path} already exists",
            expected="a new or empty folder for a new run",
            remedy="choose another folder, or remove this one first",
        )


class IncompleteRun(InputError):
    """The run was stopped before its end, so its results are not all there."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            found=f"{path}: the run was stopped before its end",
            expected="a completed run",
            remedy="go on with `dpa-engine attack --resume` where it was an attack; otherwise run its command"
            " again (it is in command.txt)",
        )


class RunBusy(InputError):
    """Another process is writing to the run."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            found=f"{path}: another process is at work on this run",
            expected="a run that was stopped",
            remedy="wait until it ends, or end it first",
        )


class OtherInputs(InputError):
    """A run was to go on with something else than it began with, so its parts would not fit together."""

    def __init__(self, path: Path, what: str, began: object, now: object) -> None:
        super().__init__(
            found=f"{path}: {what} is {now}",
            expected=f"{began}, as when the run began",
            remedy="restore what has changed, or begin a new run",
        )


class BadShard(InputError):
    """A part of the results that cannot be read, or parts that do not fit together."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            found=f"{path}: {found}",
            expected="whole parts, numbered from 0",
            remedy="go on with `dpa-engine attack --resume`, which does damaged parts again; otherwise run"
            " the command again",
        )
