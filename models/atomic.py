"""Files that are whole or absent: written under a temporary name, synced, then renamed into place."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpa.models.errors import DpaError


class DiskFull(DpaError):
    """The disk or the quota is used up. Only the file being written is lost."""

    def __init__(self, path: Path, needed: int | None = None) -> None:
        size = "" if needed is None else f" ({needed / 1e6:,.0f} MB needed)"
        super().__init__(
            f"no space left on the disk while writing {path}{size}\n"
            f"  kept:  every file completed before it\n"
            f"  to do: free some space or choose another folder, then run the command again"
        )


@contextmanager
def disk_full_named(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turns the system's "no space left" and "quota exceeded" into DiskFull; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path, needed) from error
        raise


def sync_file(path: Path) -> None:
    """Waits until the file's contents are on the disk, pages written through memory maps included."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder are on the disk; without it a rename may be undone by a crash."""
    sync_file(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what is written there takes its place when the block ends.

    The temporary name ends as `path` does, since some writers choose their format by it.
    If the block raises, `path` is as it was and the temporary file is gone. A full disk raises DiskFull.
    """
    temporary = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        with disk_full_named(path):
            yield temporary
            sync_file(temporary)
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces the file's contents in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Replaces the file's contents in one step; UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Replaces the file by readable JSON. NaN and infinity are refused: they are not JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
