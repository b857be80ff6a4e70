"""Who made what lies where a command is to write: it replaces what it made itself, and nothing else.

A folder says it by a marker in it, a small file that names the kind. Kinds that had a file of their own from
the start, which no other program writes, are recognised by that file (`ours`); so folders of earlier versions
still serve. A single file is recognised by how it begins.
"""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from dpa.models.atomic import disk_full_named, write_json
from dpa.models.errors import InputError

MARKER = ".dpa-made.json"
MARKER_LIMIT = 4096
"""No marker is longer; what is longer is not read."""


class NotOurs(InputError):
    """Something lies where a command is to write, and that command did not make it."""

    def __init__(self, path: Path, found: str, kind: str) -> None:
        super().__init__(
            found=f"{path}: {found}",
            expected=f"a new or empty place, or {kind} that this command made itself",
            remedy="choose another place, or move away what is there",
        )


def _never(path: Path) -> bool:
    return False


def kind_of(folder: Path) -> str | None:
    """What the folder's marker says it is; None where there is none that can be read."""
    path = folder / MARKER
    try:
        if path.is_symlink() or path.stat().st_size > MARKER_LIMIT:
            return None
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    kind = told.get("kind") if isinstance(told, dict) and told.get("by") == "dpa-engine" else None
    return kind if isinstance(kind, str) else None


def mark(folder: Path, kind: str) -> None:
    """Says in the folder what it is. Raises DiskFull."""
    write_json(folder / MARKER, {"by": "dpa-engine", "kind": kind})


def require_ours(folder: Path, kind: str, ours: Callable[[Path], bool] = _never) -> None:
    """Raises NotOurs where the path holds something else than an earlier `kind`; nothing is changed.

    kind: as the marker and the error name it, e.g. "a training run". ours: whether an unmarked folder is
    one nevertheless, by a file that nothing else writes.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise NotOurs(folder, "it is there, and is no folder", kind)
    known = kind_of(folder)
    if known == kind or not any(folder.iterdir()):
        return
    if known is not None:
        raise NotOurs(folder, f"it holds {known}", kind)
    if not ours(folder):
        raise NotOurs(folder, "it is not empty, and this command did not make it", kind)


def claim(folder: Path, kind: str, ours: Callable[[Path], bool] = _never) -> None:
    """The folder, made and marked as `kind` before anything is written there. See `require_ours`; raises
    NotOurs, DiskFull."""
    require_ours(folder, kind, ours)
    with disk_full_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if kind_of(folder) != kind:
        mark(folder, kind)


def require_our_file(path: Path, kind: str, ours: Callable[[Path], bool]) -> None:
    """Raises NotOurs where a file is to be replaced that is not empty and not one of `kind`. ours: whether
    it is, by how it begins; what it raises for an unreadable file counts as no."""
    if path.is_dir():
        raise NotOurs(path, "it is a folder", kind)
    try:
        if not path.exists() or path.stat().st_size == 0 or ours(path):
            return
    except (OSError, ValueError, RecursionError):
        pass
    raise NotOurs(path, "a file that this command did not make", kind)


def json_lines_of(path: Path, keys: Sequence[str]) -> bool:
    """Whether a file's first line is a JSON object with these keys, as the lists that commands write."""
    with path.open("rb") as file:
        first = json.loads(file.readline(1 << 20))
    return isinstance(first, dict) and set(keys) <= first.keys()


def csv_of(path: Path, columns: Sequence[str]) -> bool:
    """Whether a CSV file begins with these columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader([file.readline(1 << 20)]), [])[: len(columns)] == list(columns)
