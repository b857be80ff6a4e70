"""Imports a catalogue into a packed store: view by view into shards, in parallel, then all into one store.

What is done stays done: an import that was killed, or met a full disk, goes on where it stopped when the
same command is given again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dpa.models.data.contract import Camera
from dpa.models.data.store_format import OutputExists

from .catalogue import Catalogue, NothingToImport, View
from .h36m_fetch import read_h36m_fetch
from .h36m_mks import read_h36m_mks
from .h36m_mmpose import read_h36m_mmpose
from .h36m_multiview import read_h36m_multiview
from .mpi_inf_3dhp import read_mpi_inf_3dhp
from .pictures import Bad, Fit, picture_size, stored_size
from .shard import Shard, Task, make_shards, open_shard
from .video import read_videos
from .workplace import assemble, fingerprint, workplace

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True)
class ImportReport:
    """What came of an import. frames: stored; clips: (subject, action, clip); views: clips times cameras;
    resumed: views that an earlier, unfinished run had done; quarantined: pictures left out, with the reason;
    skipped: views left out, with the reason."""

    frames: int
    clips: int
    views: int
    resumed: int
    size: tuple[int, int]
    quarantined: tuple[Bad, ...]
    skipped: tuple[tuple[str, str], ...]


def import_catalogue(
    catalogue: Catalogue,
    source: Path,
    out: Path,
    *,
    layout: str,
    longer_side: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> ImportReport:
    """Writes the catalogue's views into the new packed store `out`.

    longer_side: of the stored frames in pixels; None keeps the commonest size of the source. With more than
    one worker the caller's main module is imported by each, as multiprocessing's spawn does.
    Raises NothingToImport, OtherImport, ImportRunning, OutputExists, DiskFull.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputExists(out)
    views, sizes, unreadable = _sized(catalogue)
    if not views:
        raise NothingToImport(source, _why_nothing(catalogue, unreadable))
    source_sizes = [sizes[view.camera] for view in views]
    stored = stored_size(max(sorted(set(source_sizes)), key=source_sizes.count), longer_side)
    tasks = [Task(n, view, Fit(sizes[view.camera], stored)) for n, view in enumerate(views)]
    plan = {"layout": layout, "stored": list(stored), "data": fingerprint(catalogue)}
    with workplace(out, plan) as folder:
        found = (open_shard(folder, task.number, stored) for task in tasks)
        done = {shard.number: shard for shard in found if shard is not None}
        resumed = len(done)
        total = sum(len(view.numbers) for view in views)
        finished = sum(len(views[number].numbers) for number in done)
        if progress is not None:
            progress(finished, total)
        for shard in make_shards(folder, [task for task in tasks if task.number not in done], workers):
            done[shard.number] = shard
            finished += len(views[shard.number].numbers)
            if progress is not None:
                progress(finished, total)
        shards = [done[number] for number in range(len(views))]
        report = _report(views, shards, (*catalogue.skipped, *unreadable), stored, resumed)
        facts = {
            **catalogue.facts,
            "layout": layout,
            "quarantined": len(report.quarantined),
            "skipped": [f"{name}: {why}" for name, why in report.skipped],
        }
        if report.frames:
            assemble(out, folder, views, shards, _cameras(catalogue, tasks), source=layout, facts=facts)
    if not report.frames:
        raise NothingToImport(source, _first(report.quarantined))
    return report


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
    skipped: tuple[tuple[str, str], ...],
    stored: tuple[int, int],
    resumed: int,
) -> ImportReport:
    kept = [shard for shard in shards if shard.kept]
    return ImportReport(
        frames=int(np.sum([shard.kept for shard in kept])),
        clips=len({views[shard.number].motion for shard in kept}),
        views=len(kept),
        resumed=resumed,
        size=stored,
        quarantined=tuple(bad for shard in shards for bad in shard.bad),
        skipped=skipped,
    )


def _why_nothing(catalogue: Catalogue, unreadable: list[tuple[str, str]]) -> str:
    left_out = [*catalogue.skipped, *unreadable]
    if not left_out:
        return "no clip is left by --subjects and --every"
    return f"all {len(left_out)} clips left out, first {left_out[0][0]}: {left_out[0][1]}"


def _first(bad: Sequence[Bad]) -> str:
    return f"all {len(bad)} pictures left out, first {bad[0].name}: {bad[0].reason}"


LAYOUTS: Final[dict[str, Callable[[Path, Path | None], Catalogue]]] = {
    "h36m-multiview": read_h36m_multiview,
    "h36m-fetch": read_h36m_fetch,
    "h36m-mmpose": read_h36m_mmpose,
    "h36m-mks": read_h36m_mks,
    "mpi-inf-3dhp": read_mpi_inf_3dhp,
    "video": read_videos,
}
"""Each takes the source folder and, where the layout lacks camera poses, a file of published ones."""
