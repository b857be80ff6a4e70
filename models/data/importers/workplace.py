"""The folder of an unfinished import, beside its output: a plan that must be the same to go on, a lock, and
the shards that are done."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from dpa.models.atomic import write_json

from .catalogue import Catalogue, PictureFiles, View
from .errors import ImportRunning, OtherImport

try:
    import fcntl
except ImportError:  # Windows: two imports to one place are not kept apart
    fcntl = None  # type: ignore[assignment]

PLAN = "plan.json"
ASSEMBLY = "assembly.txt"


def folder_for(out: Path) -> Path:
    """Where an import to `out` keeps what it has done so far."""
    return out.with_name(f"{out.name}.importing")


@contextmanager
def workplace(out: Path, plan: Mapping[str, object]) -> Iterator[Path]:
    """Yields the folder, new or resumed; removes it when the block ends well, keeps it when it raises.

    Raises OtherImport if what is there began with another plan, ImportRunning if another process works in it.
    """
    folder = folder_for(out)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ImportRunning(out) from None
        known = folder / PLAN
        if not known.exists():
            write_json(known, plan)
        elif json.loads(known.read_text()) != json.loads(json.dumps(plan)):
            raise OtherImport(folder)
        _sweep(folder)
        yield folder
        shutil.rmtree(folder)


def _sweep(folder: Path) -> None:
    """Removes what a killed import left half done."""
    for path in folder.glob("*.partial-*"):
        path.unlink()
    note = folder / ASSEMBLY
    if note.exists():
        left = folder.parent / note.read_text().strip()
        if left.name.startswith(f"{folder.name.removesuffix('.importing')}.partial-"):
            shutil.rmtree(left, ignore_errors=True)
        note.unlink()


def fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 over what is to be imported: which pictures, frame numbers, poses, boxes and cameras."""
    digest = hashlib.sha256()
    for view in catalogue.views:
        digest.update(repr((view.name, view.fps, _where(view))).encode())
        for values in (view.numbers, view.poses, view.joints, view.boxes):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
    for name, camera in sorted(catalogue.cameras.items()):
        digest.update(json.dumps([name, camera.to_json()]).encode())
    return digest.hexdigest()


def _where(view: View) -> tuple[str, ...]:
    pictures = view.pictures
    if isinstance(pictures, PictureFiles):
        return os.fspath(pictures.folder), pictures.pattern, str(pictures.labels.tolist())
    return os.fspath(pictures.file), str(pictures.wanted.tolist())
