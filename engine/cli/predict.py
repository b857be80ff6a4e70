"""`dpa-engine predict`: images, folders, packed sets and videos to 3D poses."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.cli.inputs import NETWORK
from dpa.models.names import plain

if TYPE_CHECKING:
    from dpa.engine.prediction.sources import Unreadable
    from dpa.engine.prediction.stream import Tally
    from dpa.engine.sessions.protocol import Session


NAMED = 20
"""So many unreadable files are named on stderr; the list beside the output names them all."""


def predict(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Images, folders, packed sets or videos.")
    ],
    engine: Annotated[Path | None, typer.Option(help="Engine folder written by `export`.")] = None,
    network: Annotated[str | None, typer.Option(help=f"{NETWORK}, in place of --engine.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File .jsonl, .csv or .parquet (default: JSON lines on stdout).")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Folder for pictures: each frame with its box and skeleton.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Frames in one forward pass.")] = 32,
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16 or int8, as exported.")] = "fp32",
    backend: Annotated[
        str | None, typer.Option(help="onnxruntime, openvino or tensorrt (default: the first that works).")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N, for --engine.")] = "cpu",
    rebuild_plans: Annotated[
        bool, typer.Option("--rebuild-plans", help="Build stale or foreign TensorRT plans from their ONNX.")
    ] = False,
    size: Annotated[
        int, typer.Option(min=16, help="Side that pictures are fitted to; the zoo was trained at 160.")
    ] = 160,
    stride: Annotated[int, typer.Option(min=1, help="Of a video, every n-th frame.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads that decode images.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="With --out: the summary as JSON.")] = False,
) -> None:
    """Predict 17 joints in mm, root-relative, camera axes, for every frame of every source.

    A file that cannot be read is named and counted, and the rest goes on; with --out their list is
    kept beside it as NAME.unreadable.jsonl.
    """
    import json
    import sys
    from contextlib import nullcontext

    from dpa.engine.cli.progress import of_frames, shown
    from dpa.engine.prediction.overlay import both, overlay_writer
    from dpa.engine.prediction.sources import count_frames, read_sources
    from dpa.engine.prediction.stream import (
        NONFINITE,
        jsonl_writer,
        keep_list,
        list_of,
        open_writer,
        predict_stream,
    )
    from dpa.models.errors import DpaError
    from dpa.models.finite import NonFiniteOutputs

    _require_meant(network, out, precision, backend, device, rebuild_plans, as_json)
    if out is not None:
        list_of(out)
    session = open_session(engine, network, precision, backend, device, rebuild_plans)
    outputs = [path for path in (out, overlay) if path is not None]
    items = read_sources(sources, size, threads, stride, outputs)
    total = count_frames(sources, outputs)
    draw = overlay_writer(overlay) if overlay is not None else None
    opened = nullcontext(jsonl_writer(sys.stdout)) if out is None else open_writer(out)
    with shown("predicting") as show, opened as write:
        tally = predict_stream(
            session, items, both(write, draw) if draw else write, batch, of_frames(show, total)
        )
    kept = keep_list(out, tally.quarantined) if out is not None else None
    _tell_unreadable(tally.quarantined)
    if out is not None and as_json:
        typer.echo(json.dumps(_summary(session, tally, out, kept)))
    else:
        typer.echo(
            f"{tally.predicted:,} poses, {len(tally.quarantined)} unreadable, {tally.images_per_s:,.0f} "
            f"images/s on {session.backend} ({session.device})",
            err=out is None,
        )
    if tally.nonfinite:
        raise NonFiniteOutputs(NONFINITE, tally.nonfinite, tally.predicted + tally.nonfinite)
    if not tally.predicted:
        raise DpaError(f"nothing was predicted: {len(tally.quarantined)} unreadable files and no other")


def _require_meant(
    network: str | None,
    out: Path | None,
    precision: str,
    backend: str | None,
    device: str,
    rebuild_plans: bool,
    as_json: bool,
) -> None:
    """Raises InputError for an option that would change nothing."""
    from dpa.models.errors import InputError

    engine_alone = {
        "--precision": precision != "fp32",
        "--backend": backend is not None,
        "--device": device != "cpu",
        "--rebuild-plans": rebuild_plans,
    }
    for option, given in engine_alone.items():
        if network is not None and given:
            raise InputError(f"{option} with --network", "it with --engine alone", f"leave out {option}")
    if as_json and out is None:
        raise InputError("--json without --out", "both, or neither: poses are JSON lines", "leave out --json")


def open_session(
    engine: Path | None,
    network: str | None,
    precision: str,
    backend: str | None,
    device: str,
    rebuild_plans: bool,
) -> "Session":
    """The pose session of an engine folder, or of a network's cached export."""
    from dpa.models.errors import InputError

    if (engine is None) == (network is None):
        raise InputError(
            "both --engine and --network" if engine else "neither --engine nor --network",
            "one of them",
            "name an engine folder with --engine, or a network such as --network zoo:nsd",
        )
    if engine is not None:
        from dpa.engine.sessions.engine_folder import EngineFolder

        return EngineFolder(engine).session(
            "pose", precision=precision, backend=backend, device=device, rebuild_plans=rebuild_plans
        )
    assert network is not None  # exactly one of the two is given
    from dpa.export.cached_pose import cached_pose_engine
    from dpa.models.training.checkpoint import load_network

    return cached_pose_engine(load_network(network))


def _summary(session: "Session", tally: "Tally", out: Path, kept: Path | None) -> dict[str, object]:
    return {
        "out": str(out),
        "predicted": tally.predicted,
        "nonfinite": tally.nonfinite,
        "unreadable": [{"source": bad.source, "reason": bad.reason} for bad in tally.quarantined],
        "unreadable_list": str(kept) if kept else None,
        "memory_mb": {"first_batch": tally.first_mb, "last_batch": tally.last_mb},
        "images_per_s": round(tally.images_per_s, 1),
        "backend": session.backend,
        "device": session.device,
    }


def _tell_unreadable(unreadable: "list[Unreadable]") -> None:
    """One line on stderr for each of the first NAMED, and how many more there are."""
    for bad in unreadable[:NAMED]:
        typer.echo(plain(f"unreadable: {bad.source}: {bad.reason}"), err=True)
    if len(unreadable) > NAMED:
        typer.echo(f"and {len(unreadable) - NAMED} more", err=True)
