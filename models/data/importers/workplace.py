"""The folder of an unfinished import, beside its output: a plan that must be the same to go on, a lock, and
the shards that are done."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpa.models.artefacts import MARKER, claim
from dpa.models.atomic import PARTIAL, disk_full_named, write_json, write_text
from dpa.models.data.contract import Camera
from dpa.models.data.store_writer import PackedStoreWriter
from dpa.models.documents import BadDocument, read_json

from .catalogue import Catalogue, ImportRunning, OtherImport, PictureFiles, View
from .shard import Shard, Task, chunks, shard_path, stored_joints

try:
    import fcntl
except ImportError:  # Windows: two imports to one place are not kept apart
    fcntl = None  # type: ignore[assignment]

PLAN = "plan.json"
ASSEMBLY = "assembly.txt"
KIND = "an unfinished import"

OWN = re.compile(rf"lock|{MARKER}|{PLAN}|{ASSEMBLY}|plates\.all|\d{{6}}\..+|\.partial-.+")
"""Everything that an import puts into its folder."""


def folder_for(out: Path) -> Path:
    """Where an import to `out` keeps what it has done so far."""
    return out.with_name(f"{out.name}.importing")


@contextmanager
def workplace(out: Path, plan: Mapping[str, object]) -> Iterator[Path]:
    """Yields the folder, new or resumed; removes it when the block ends well, keeps it when it raises.

    Raises NotOurs if what is there is no import's, OtherImport if it began with another plan, ImportRunning
    if another process works in it.
    """
    folder = folder_for(out)
    claim(folder, KIND, _began_before_markers)
    with (folder / "lock").open("w") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ImportRunning(out) from None
        known = folder / PLAN
        if not known.exists():
            write_json(known, plan)
        elif _noted(known) != json.loads(json.dumps(plan)):
            raise OtherImport(folder)
        _sweep(folder)
        yield folder
    _clear(folder)


def _noted(plan: Path) -> object:
    """The plan of the import that began; None where it cannot be read, which is then no plan of this one."""
    try:
        return read_json(plan)
    except BadDocument:
        return None


def _began_before_markers(folder: Path) -> bool:
    """Whether an unmarked folder is an earlier version's: by its plan's keys, and with no other file."""
    try:
        plan = read_json(folder / PLAN)
    except (OSError, ValueError, RecursionError):
        return False
    known = isinstance(plan, dict) and {"layout", "stored", "data"} <= plan.keys()
    return known and all(OWN.fullmatch(path.name) for path in folder.iterdir())


def _clear(folder: Path) -> None:
    """Removes what the import put there; the folder too, unless somebody else put something beside it."""
    for path in folder.iterdir():
        if OWN.fullmatch(path.name) and not path.is_dir():
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _sweep(folder: Path) -> None:
    """Removes what a killed import left half done."""
    for path in folder.glob("*.partial-*"):
        path.unlink()
    note = folder / ASSEMBLY
    if note.exists():
        left = folder.parent / note.read_text().strip()
        if PARTIAL.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
        note.unlink()


def fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 over what is to be imported: which pictures, frame numbers, poses, boxes and cameras."""
    digest = hashlib.sha256()
    for view in catalogue.views:
        digest.update(repr((view.name, view.fps, _where(view))).encode())
        for values in (view.numbers, view.times, view.poses, view.joints, view.boxes):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
    for name, camera in sorted(catalogue.cameras.items()):
        digest.update(json.dumps([name, camera.to_json()]).encode())
    return digest.hexdigest()


def _where(view: View) -> tuple[str, ...]:
    pictures = view.pictures
    if isinstance(pictures, PictureFiles):
        return os.fspath(pictures.folder), pictures.pattern, str(pictures.labels.tolist())
    return os.fspath(pictures.file), str(pictures.wanted.tolist()), str(pictures.lens)


# The last step of an import: shards into one packed store. It is disk to disk and is done again from the
# start if it is killed.


def assemble(
    out: Path,
    folder: Path,
    tasks: Sequence[Task],
    shards: Sequence[Shard],
    cameras: Mapping[str, Camera],
    *,
    source: str,
    facts: Mapping[str, object],
) -> None:
    """Writes the store: views in the given order, frames in theirs. Raises DiskFull, OutputExists."""
    kept = [(tasks[shard.number], shard) for shard in shards if shard.kept]
    order = {key: index for index, key in enumerate(cameras)}
    motions = {motion: n for n, motion in enumerate(dict.fromkeys(task.view.motion for task, _ in kept))}
    stands = list(dict.fromkeys(shard.stand for _, shard in kept if not shard.plates))
    writer = PackedStoreWriter(
        out,
        cameras=list(cameras.values()),
        plates=_all_plates(folder, stands, [shard for _, shard in kept]),
        fps=kept[0][0].view.fps,
        seed=None,
        source=source,
        count=sum(shard.kept for _, shard in kept),
        meta=facts,
        pixels=True,
    )
    write_text(folder / ASSEMBLY, writer.folder.name)
    with writer:
        start, first_plate = 0, len(stands)
        for task, shard in kept:
            view = task.view
            fixed = {"sequence": motions[view.motion], "camera": order[view.camera]}
            plate = first_plate if shard.plates else stands.index(shard.stand)
            _copy(writer.folder, start, task, shard, fixed, plate)
            start += shard.kept
            first_plate += shard.plates


def _copy(
    store: Path,
    start: int,
    task: Task,
    shard: Shard,
    fixed: Mapping[str, int],
    first_plate: int,
) -> None:
    view, rows = task.view, shard.rows()
    # Opened anew for each view: pages of a map that stays open count as the process's memory.
    maps, frames = PackedStoreWriter.attach(store), shard.frames()
    for chunk in chunks(shard.kept, frames[0].nbytes):
        at, here = rows["at"][chunk], rows["row"][chunk]
        columns: dict[str, object] = {
            **fixed,
            "subject": view.subject,
            "action": view.action,
            "outfit": view.outfit or view.subject,
            "plate": first_plate + (at if shard.plates > 1 else np.zeros(len(at), np.int64)),
            "frame": view.numbers[here],
            "time": view.numbers[here] / view.fps if view.times is None else view.times[here],
            "box": rows["box"][chunk],
        }
        maps.write(
            start + chunk.start,
            np.asarray(frames[at]),
            shard.silhouettes(at),
            _root_relative(view, here),
            columns,
            stored_joints(view, task.fit, here),
        )


def _root_relative(view: View, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Poses [n, 17, 3]; NaN where nobody knows them, so that nothing can be fitted to them unnoticed."""
    if view.poses is None:
        return np.full((len(rows), 17, 3), np.nan, np.float32)
    poses = view.poses[rows]
    return np.asarray(poses - poses[:, :1], np.float32)


def _all_plates(folder: Path, stands: Sequence[int], shards: Sequence[Shard]) -> NDArray[np.uint8]:
    """All plates [P, H, W, 3] as one memory map, those of the stands first: crops have one a frame, more than
    memory may hold."""
    path = folder / "plates.all"
    with disk_full_named(path), path.open("wb") as file:
        for stand in stands:
            file.write(np.load(shard_path(folder, stand, "plate.npy"), allow_pickle=False).tobytes())
        for shard in shards:
            if not shard.plates:
                continue
            pixels = shard.plate_pixels()
            for chunk in chunks(shard.plates, pixels[0].nbytes):
                file.write(np.ascontiguousarray(pixels[chunk]).data)
    count = len(stands) + sum(shard.plates for shard in shards)
    return np.memmap(path, np.uint8, "r", shape=(count, *shards[0].stored, 3))
