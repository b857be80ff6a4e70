"""What can be wrong with a packed store: one named error each, all of them InputError."""

from pathlib import Path

from dpa.models.errors import InputError

REMAKE = "make it again (dpa-engine data synth or data import), or copy it again if it was copied"


class NotAStore(InputError):
    """The folder holds no packed store, or its manifest cannot be understood."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            found=f"{path}: {found}",
            expected="the folder of a packed store, with a readable manifest.json",
            remedy="give the folder that dpa-engine data synth or data import wrote",
        )


class WrongVersion(InputError):
    """The store was written in a format that this version does not read."""

    def __init__(self, path: Path, found: object, expected: int) -> None:
        super().__init__(
            found=f"{path}: store format version {found!r}",
            expected=f"version {expected}",
            remedy="make the store again with this version of dpa-engine",
        )


class TruncatedFile(InputError):
    """A file is absent, or its length is not what the manifest says."""

    def __init__(self, path: Path, found: int | None, expected: int) -> None:
        super().__init__(
            found=f"{path}: " + ("no such file" if found is None else f"{found:,} bytes"),
            expected=f"{expected:,} bytes",
            remedy=REMAKE,
        )


class MissingPlate(InputError):
    """A frame's background plate is not there."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(found=f"{path}: {found}", expected=expected, remedy=REMAKE)


class BrokenIndex(InputError):
    """The index does not fit the frames, or the cameras do not fit the index."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(found=f"{path}: {found}", expected=expected, remedy=REMAKE)


class OutputExists(InputError):
    """The folder to write to already holds something: it is never overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            found=f"{path} already exists",
            expected="a new or empty folder",
            remedy="choose another folder, or remove this one first",
        )
