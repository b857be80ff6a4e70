"""`dpa-engine data import`: real data sets, in the layouts in which people have them."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.models.names import plain

if TYPE_CHECKING:
    from dpa.models.data.importers.run import ImportReport

NAMED = 20
"""So many bad pictures are named on stderr; the list beside the output names them all."""


class BadClips(StrEnum):
    """What becomes of clips that something speaks against."""

    leave_out = "leave-out"
    keep = "keep"


class LayoutName(StrEnum):
    """Where the data came from, and so how it lies on the disk."""

    h36m_multiview = "h36m-multiview"
    h36m_fetch = "h36m-fetch"
    h36m_mmpose = "h36m-mmpose"
    h36m_mks = "h36m-mks"
    h36m_toolbox = "h36m-toolbox"
    h36m_raw = "h36m-raw"
    h36m_videopose = "h36m-videopose"
    mpi_inf_3dhp = "mpi-inf-3dhp"
    video = "video"
    cameras = "cameras"


def import_data(
    layout: Annotated[LayoutName, typer.Argument(help="How the data lies on the disk.", show_default=False)],
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Its folder (for video, also one file).")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the packed store.")],
    size: Annotated[
        int | None,
        typer.Option("--size", min=16, help="Longer side of the stored frames (default: as the data)."),
    ] = None,
    every: Annotated[
        int, typer.Option("--every", min=1, help="Only frames whose number is a multiple of this.")
    ] = 1,
    subjects: Annotated[
        list[str] | None,
        typer.Option("--subjects", help="Subjects, separated by commas or repeated (default: all)."),
    ] = None,
    extrinsics: Annotated[
        Path | None,
        typer.Option(
            "--extrinsics",
            "--calibration",
            metavar="FILE",
            help="Camera poses for a layout that lacks them: JSON with R and t by subject and camera, or "
            "mmpose's cameras.pkl; for `cameras` TOML (Anipose, Pose2Sim) or OpenCV YAML.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; the result is the same (default: all cores)."),
    ] = None,
    bad_clips: Annotated[
        BadClips | None,
        typer.Option(
            "--bad-clips",
            help="Clips whose plate does not hold, whose silhouettes miss the person and so on: named either "
            "way. Without this option they are kept, and the exit code is 1.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Import a data set into a packed store. An import that was stopped goes on when it is started again."""
    from dpa.engine.cli.progress import counted
    from dpa.models.data.importers.run import LAYOUTS, import_catalogue
    from dpa.models.data.store import PackedStore

    _require_own_list(out)
    catalogue = LAYOUTS[layout.value](source, extrinsics)
    names = [name.strip() for part in subjects or () for name in part.split(",") if name.strip()]
    catalogue = catalogue.only(tuple(names) or None, every)
    with counted("pictures") as progress:
        report = import_catalogue(
            catalogue,
            source,
            out,
            layout=layout.value,
            longer_side=size,
            workers=workers or _cores(),
            keep_bad=bad_clips is not BadClips.leave_out,
            progress=progress,
        )
    listed = _keep_list(out, report)
    _tell(report, listed)
    facts = {
        **PackedStore.open(out).info(),
        "clips": report.clips,
        "views": report.views,
        "resumed": report.resumed,
        "quarantined": len(report.quarantined),
        "skipped": len(report.skipped),
        "bad_clips": [one.to_json() for one in report.bad],
        "list": None if listed is None else str(listed),
    }
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        typer.echo(
            f"{out}: {report.frames:,} frames of {report.clips:,} clips in {report.views:,} views, "
            f"{report.size[1]} × {report.size[0]} pixels; {len(report.quarantined):,} pictures quarantined, "
            f"{len(report.skipped):,} views skipped; {len(report.bad):,} bad ones "
            f"{'left out' if bad_clips is BadClips.leave_out else 'kept'}"
        )
    if report.bad and bad_clips is None:
        raise typer.Exit(1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _list_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.quarantine.jsonl")


def _require_own_list(out: Path) -> None:
    """Raises NotOurs, before the import, where its list would take the place of another file."""
    from dpa.models.artefacts import json_lines_of, require_our_file

    kind = "the list of an earlier import"
    require_our_file(_list_of(out), kind, lambda path: json_lines_of(path, ("name", "reason")))


def _keep_list(out: Path, report: "ImportReport") -> Path | None:
    """Writes OUT.quarantine.jsonl (name, reason) and returns its path; None when nothing was left out."""
    from dpa.models.atomic import write_text

    path = _list_of(out)
    left_out = [(bad.name, bad.reason) for bad in report.quarantined]
    left_out += [(name, f"skipped: {why}") for name, why in report.skipped]
    if not left_out:
        path.unlink(missing_ok=True)
        return None
    lines = (json.dumps({"name": name, "reason": why}, ensure_ascii=False) + "\n" for name, why in left_out)
    write_text(path, "".join(lines))
    return path


def _tell(report: "ImportReport", listed: Path | None) -> None:
    """Names on stderr every skipped view and the first of the bad pictures."""
    for name, why in report.skipped:
        typer.echo(plain(f"skipped: {name}: {why}"), err=True)
    for one in report.bad:
        if one.kept:
            typer.echo(f"bad: {one.name}: {'; '.join(one.faults)}", err=True)
    for bad in report.quarantined[:NAMED]:
        typer.echo(plain(f"quarantined: {bad.name}: {bad.reason}"), err=True)
    if len(report.quarantined) > NAMED:
        typer.echo(f"and {len(report.quarantined) - NAMED} more: see {listed}", err=True)
