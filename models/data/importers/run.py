"""Imports a catalogue into a packed store: view by view into shards, in parallel, then all into one store.

What is done stays done: an import that was killed, or met a full disk, goes on where it stopped when the
same command is given again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from dpa.models.data.checks import Figures
from dpa.models.data.contract import Camera
from dpa.models.data.store_format import OutputExists

from .catalogue import Catalogue, NothingToImport, View
from .h36m_fetch import read_h36m_fetch
from .h36m_films import read_h36m_raw, read_h36m_videopose
from .h36m_mks import read_h36m_mks
from .h36m_mmpose import read_h36m_mmpose
from .h36m_multiview import read_h36m_multiview
from .h36m_toolbox import read_h36m_toolbox
from .mpi_inf_3dhp import read_mpi_inf_3dhp
from .own_cameras import read_own_cameras
from .pictures import Bad, Fit, picture_size, stored_size
from .shard import Shard, Task, find_people, in_pool, open_shard, read_view, stand_plate, was_read
from .video import read_videos
from .workplace import assemble, fingerprint, workplace

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""

NEAREST: Final = 300.0
"""mm. Poses with all joints farther before the camera are taken for absolute ones."""


@dataclass(frozen=True)
class ImportReport:
    """What came of an import. frames: stored; clips: (subject, action, clip); views: clips times cameras;
    resumed: views whose pictures an earlier, unfinished run had read; quarantined: pictures left out, with
    the reason; skipped: views left out, with the reason; judged: every view that was read, with figures."""

    frames: int
    clips: int
    views: int
    resumed: int
    size: tuple[int, int]
    quarantined: tuple[Bad, ...]
    skipped: tuple[tuple[str, str], ...]
    judged: tuple["Judged", ...] = ()

    @property
    def bad(self) -> tuple["Judged", ...]:
        """The views that something speaks against, kept or left out."""
        return tuple(one for one in self.judged if one.faults)


@dataclass(frozen=True)
class Judged:
    """A view, the figures that were measured on it, what speaks against it, and whether it was kept."""

    name: str
    figures: Figures
    faults: tuple[str, ...]
    kept: bool

    def to_json(self) -> dict[str, object]:
        """As the store's manifest keeps it."""
        return {
            "name": self.name,
            "kept": self.kept,
            "faults": list(self.faults),
            "figures": self.figures.to_json(),
        }


def import_catalogue(
    catalogue: Catalogue,
    source: Path,
    out: Path,
    *,
    layout: str,
    longer_side: int | None = None,
    workers: int = 1,
    keep_bad: bool = True,
    progress: Progress | None = None,
) -> ImportReport:
    """Writes the catalogue's views into the new packed store `out`.

    longer_side: of the stored frames in pixels; None keeps the commonest size of the source. keep_bad: keep
    also the views that something speaks against (`checks`), which are named either way. With more than one
    worker the caller's main module is imported by each, as multiprocessing's spawn does.
    Raises NothingToImport, OtherImport, ImportRunning, OutputExists, DiskFull.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputExists(out)
    views, sizes, unreadable = _sized(catalogue)
    if not views:
        raise NothingToImport(source, _why_nothing(catalogue, unreadable))
    source_sizes = [sizes[view.camera] for view in views]
    stored = stored_size(max(sorted(set(source_sizes)), key=source_sizes.count), longer_side)
    tasks = _tasks(catalogue, views, sizes, stored)
    plan = {"layout": layout, "stored": list(stored), "data": fingerprint(catalogue)}
    with workplace(out, plan) as folder:
        shards, resumed = _made(folder, tasks, workers, progress)
        judged = [
            Judged(views[shard.number].name, shard.figures, tuple(shard.figures.faults()), True)
            for shard in shards
            if shard.figures is not None
        ]
        if not keep_bad:
            judged = [replace(one, kept=not one.faults) for one in judged]
        left_out = {one.name: "; ".join(one.faults) for one in judged if not one.kept}
        good = [shard for shard in shards if views[shard.number].name not in left_out]
        skipped = (*catalogue.skipped, *unreadable, *left_out.items())
        report = _report(views, shards, good, skipped, stored, resumed, judged)
        facts = {
            **catalogue.facts,
            "layout": layout,
            "quarantined": len(report.quarantined),
            "skipped": [f"{name}: {why}" for name, why in report.skipped],
            "views": [one.to_json() for one in judged],
        }
        if report.frames:
            assemble(out, folder, tasks, good, _cameras(catalogue, tasks), source=layout, facts=facts)
    if not report.frames:
        raise NothingToImport(source, _first(report.quarantined, left_out))
    return report


def _made(
    folder: Path, tasks: Sequence[Task], workers: int, progress: Progress | None
) -> tuple[list[Shard], int]:
    """The shards of all tasks, and of how many the pictures had been read before. Three passes: pictures,
    plates of the stands, people; each leaves out what it has done before."""
    left = [task for task in tasks if not was_read(folder, task)]
    total = sum(len(task.view.numbers) for task in tasks)
    finished = total - sum(len(task.view.numbers) for task in left)
    if progress is not None:
        progress(finished, total)
    for task in in_pool(read_view, folder, left, workers):
        finished += len(task.view.numbers)
        if progress is not None:
            progress(finished, total)
    found = [open_shard(folder, task) for task in tasks]
    missing = [task for task, shard in zip(tasks, found, strict=True) if shard is None]
    for stand in {task.stand for task in tasks}:
        stand_plate(folder, [task for task in tasks if task.stand == stand])
    done = {shard.number: shard for shard in found if shard is not None}
    done |= {shard.number: shard for shard in in_pool(find_people, folder, missing, workers)}
    return [done[number] for number in range(len(tasks))], len(tasks) - len(left)


def _tasks(
    catalogue: Catalogue, views: Sequence[View], sizes: Mapping[str, tuple[int, int]], stored: tuple[int, int]
) -> list[Task]:
    """The views with their fit, numbered; those of one subject, camera and stand share a plate."""
    stands: dict[tuple[str, str, str], int] = {}
    tasks = []
    for number, view in enumerate(views):
        stand = stands.setdefault((view.subject, view.camera, view.stand), number)
        placed = _with_joints(view, catalogue.cameras[view.camera])
        tasks.append(Task(number, placed, Fit(sizes[view.camera], stored), stand))
    return tasks


def _with_joints(view: View, camera: Camera) -> View:
    """The view with its joints' pixels, where boxes are given and poses are known from the camera's centre:
    nobody's joints lie within NEAREST of it."""
    if view.joints is not None or view.boxes is None or view.poses is None:
        return view
    if not len(view.poses) or not (view.poses[..., 2] > NEAREST).all():
        return view
    seen = view.poses.astype(np.float64) @ camera.intrinsics.T
    return replace(view, joints=(seen[..., :2] / seen[..., 2:]).astype(np.float32))


def _sized(
    catalogue: Catalogue,
) -> tuple[list[View], dict[str, tuple[int, int]], list[tuple[str, str]]]:
    """The views in the store's order, the size (H, W) of each camera's pictures, and the views without a
    readable picture."""
    ordered = sorted(catalogue.views, key=lambda view: (view.motion, view.camera))
    sizes: dict[str, tuple[int, int]] = {}
    for view in ordered:
        if view.camera not in sizes:
            size = picture_size(view.pictures)
            if size is not None:
                sizes[view.camera] = size
    views = [view for view in ordered if view.camera in sizes]
    unreadable = [
        (view.name, "none of its pictures can be read") for view in ordered if view.camera not in sizes
    ]
    return views, sizes, unreadable


def _cameras(catalogue: Catalogue, tasks: Sequence[Task]) -> dict[str, Camera]:
    """The cameras in use, their intrinsics in pixels of the stored frames."""
    cameras: dict[str, Camera] = {}
    for task in tasks:
        key = task.view.camera
        if key not in cameras:
            given = catalogue.cameras[key]
            inside = task.fit.intrinsics(given.intrinsics)
            cameras[key] = Camera(given.name, inside, given.rotation, given.translation)
    return cameras


def _report(
    views: Sequence[View],
    shards: Sequence[Shard],
    good: Sequence[Shard],
    skipped: tuple[tuple[str, str], ...],
    stored: tuple[int, int],
    resumed: int,
    judged: Sequence[Judged],
) -> ImportReport:
    kept = [shard for shard in good if shard.kept]
    return ImportReport(
        frames=int(np.sum([shard.kept for shard in kept])),
        clips=len({views[shard.number].motion for shard in kept}),
        views=len(kept),
        resumed=resumed,
        size=stored,
        quarantined=tuple(bad for shard in shards for bad in shard.bad),
        skipped=skipped,
        judged=tuple(judged),
    )


def _why_nothing(catalogue: Catalogue, unreadable: list[tuple[str, str]]) -> str:
    left_out = [*catalogue.skipped, *unreadable]
    if not left_out:
        return "no clip is left by --subjects and --every"
    return f"all {len(left_out)} clips left out, first {left_out[0][0]}: {left_out[0][1]}"


def _first(bad: Sequence[Bad], left_out: Mapping[str, str]) -> str:
    if left_out:
        name, why = next(iter(left_out.items()))
        return f"all {len(left_out)} clips that could be read, first {name}: {why}"
    return f"all {len(bad)} pictures left out, first {bad[0].name}: {bad[0].reason}"


LAYOUTS: Final[dict[str, Callable[[Path, Path | None], Catalogue]]] = {
    "h36m-multiview": read_h36m_multiview,
    "h36m-fetch": read_h36m_fetch,
    "h36m-mmpose": read_h36m_mmpose,
    "h36m-mks": read_h36m_mks,
    "h36m-toolbox": read_h36m_toolbox,
    "h36m-raw": read_h36m_raw,
    "h36m-videopose": read_h36m_videopose,
    "mpi-inf-3dhp": read_mpi_inf_3dhp,
    "video": read_videos,
    "cameras": read_own_cameras,
}
"""Each takes the source folder and, where the layout lacks camera poses, a file of them."""
