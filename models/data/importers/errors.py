"""What can keep an import from being done: one named error each, all but the last of them InputError."""

from collections.abc import Sequence
from pathlib import Path

from dpa.models.errors import DpaError, InputError


class NeedsPackage(InputError):
    """A reader's package is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            found=f"the package {package!r} is not installed",
            expected="the extra 'import'",
            remedy="pip install 'dpa-engine[import]'",
        )


class NotThisLayout(InputError):
    """The source folder is not there, or holds nothing of the layout."""

    def __init__(self, source: Path, layout: str, expected: str) -> None:
        super().__init__(
            found=f"{source}: " + ("no such folder" if not source.exists() else f"nothing of {layout}"),
            expected=expected,
            remedy="check the path, and see dpa-engine data import --help for the layouts",
        )


class BrokenAnnotations(InputError):
    """An annotation file cannot be read, lacks a field, or a field has the wrong shape."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(
            found=f"{path}: {found}", expected=expected, remedy="copy or make this annotation file again"
        )


class MissingCalibration(InputError):
    """A camera of the data is not in the calibration."""

    def __init__(self, path: Path, camera: str) -> None:
        super().__init__(
            found=f"{path} does not calibrate camera {camera}",
            expected="every camera that has pictures",
            remedy="give the file of the whole data set, or leave its subject out with --subjects",
        )


class RefusedPickle(InputError):
    """A pickle asks for something other than arrays, numbers, names and plain containers."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            found=f"{path}: {found}",
            expected="a pickle of NumPy arrays and plain containers; nothing else in it is ever run",
            remedy="get the file again from where the data set came from, and do not open it elsewhere",
        )


class NothingToImport(InputError):
    """Every clip was skipped or every picture quarantined, or a filter left nothing."""

    def __init__(self, source: Path, found: str) -> None:
        super().__init__(
            found=f"{source}: {found}",
            expected="at least one readable picture with its annotation",
            remedy="see the quarantine list beside the output, and check --subjects and --every",
        )


class OtherImport(InputError):
    """The unfinished import that is to be resumed was of other data or had other options."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            found=f"{folder} holds an unfinished import of other data or with other options",
            expected="the same source and options as when it began",
            remedy="give those, choose another --out, or remove that folder to begin anew",
        )


class ImportRunning(InputError):
    """Another process is importing to the same place."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            found=f"another import is writing to {folder}",
            expected="one import at a time for one output",
            remedy="wait for it, or choose another --out",
        )


class ReaderLost(DpaError):
    """A process that read pictures ended of itself: the system took its memory back, or a decoder crashed."""

    def __init__(self, underway: Sequence[str]) -> None:
        super().__init__(
            "a process that read pictures was killed or crashed, at one of: "
            + ", ".join(underway)
            + "\n  kept:  every clip finished before it\n"
            "  to do: run the command again, with fewer --workers if memory was short; if it stops at the "
            "same clip again, take that one's files away"
        )
