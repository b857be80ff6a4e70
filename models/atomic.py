"""Files and folders that are whole or absent: written under a temporary name, synced, then renamed into
place. What a killed process left unfinished is removed when the next one writes beside it."""

import errno
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dpa.models.errors import DpaError

try:
    import fcntl
except ImportError:  # Windows: what a killed process leaves is left
    fcntl = None  # type: ignore[assignment]

PARTIAL = re.compile(r"\.partial-[0-9a-f]{8}-.*|.+\.partial-[0-9a-f]{8}", re.DOTALL)
"""Names of what is not finished, those that earlier versions gave among them."""


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
    sweep(path.parent)
    temporary = partial_name(path)
    try:
        with disk_full_named(path), held(temporary):
            yield temporary
            sync_file(temporary)
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Yields a new folder beside `target` for what shall take its place; whoever fills it renames it. It is
    gone when the block ends, unless it was renamed. A full disk raises DiskFull."""
    with disk_full_named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        folder = partial_name(target)
        folder.mkdir()
    try:
        with held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def partial_name(path: Path) -> Path:
    """A free name beside `path` that says that it is not finished. It ends as `path` does, and is no longer
    than a name may be."""
    start = f".partial-{secrets.token_hex(4)}-"
    ending = os.fsencode(path.name)[len(start) - 255 :]
    return path.with_name(start + ending.decode(errors="ignore"))


@contextmanager
def held(partial: Path) -> Iterator[None]:
    """Marks a file, made where it is not there, or a folder as being worked on, until the block or the
    process ends. Without effect where there are no file locks."""
    if fcntl is None:
        yield
        return
    while True:
        flags = os.O_RDONLY if partial.is_dir() else os.O_RDONLY | os.O_CREAT
        descriptor = os.open(partial, flags, 0o666)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if partial.exists() and os.path.samestat(os.fstat(descriptor), partial.stat()):
            break
        os.close(descriptor)  # swept away between being made and being held
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def waiting_for(path: Path) -> Iterator[None]:
    """One process at a time in such a block of the same path, which need not be there; the others wait.
    Without effect where there are no file locks."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(folder: Path) -> None:
    """Removes from a folder what dead processes left unfinished: names that only this project gives, and that
    no living process holds. What cannot be told is left."""
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        left = [folder / entry.name for entry in entries if PARTIAL.fullmatch(entry.name)]
        for path in left:
            _remove_unheld(path)


def _remove_unheld(path: Path) -> None:
    assert fcntl is not None  # sweep has looked
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                shutil.rmtree(path, ignore_errors=True)
            elif stat.S_ISREG(os.fstat(descriptor).st_mode):
                path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


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
