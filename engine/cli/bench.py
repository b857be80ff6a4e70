"""`dpa-engine bench`: throughput and latency on this machine. The larger benches have a file of their own."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def data(
    frames: Annotated[int, typer.Option(min=1, help="Frames in the store.")] = 100_000,
    size: Annotated[int, typer.Option(min=1, help="Height and width of a frame, pixels.")] = 160,
    batch: Annotated[int, typer.Option(min=1, help="Frames a batch.")] = 256,
    warm: Annotated[int, typer.Option(min=1, help="Frames that are drawn from; they fit in memory.")] = 4096,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.01, help="Duration of each measurement.")] = 3.0,
    folder: Annotated[Path | None, typer.Option(help="Where the store is made, for another disk.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Time the opening of a packed store and the loading of random batches from a warm cache."""
    from dpa.bench.data import measure_store

    found = measure_store(
        frames=frames,
        size=size,
        batch=batch,
        warm=warm,
        threads=threads,
        duration_s=seconds,
        folder=folder,
    )
    if as_json:
        typer.echo(json.dumps(found))
        return
    from rich.console import Console
    from rich.table import Table

    title = f"{frames:,} frames of {size}², random batches of {batch}, {threads} core(s)"
    table = Table("", "p10", "p50", "p90", "images/s", title=title, title_justify="left")
    for name, timing in found.items():
        if isinstance(timing, dict):
            times = [f"{timing[key] * 1e3:.1f} ms" for key in ("p10_s", "p50_s", "p90_s")]
            rate = f"{timing['images_per_s']:,.0f}" if "images_per_s" in timing else ""
            table.add_row(name.replace("_", " "), *times, rate)
    Console().print(table)


def import_(
    frames: Annotated[int, typer.Option(min=1, help="Pictures that are imported.")] = 10_000,
    size: Annotated[int, typer.Option(min=16, help="Height and width of a picture, pixels.")] = 160,
    workers: Annotated[int, typer.Option(min=1, help="Processes, as for `data import`.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="Where all is made, for another disk.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Time the import of JPEG files into a packed store, beside plain decoding and copying of the same.

    A tenth of the pictures is imported first: whether peak memory grows with their number is told by both.
    Needs about four times the decoded pictures' room on the disk for a while (10,000 of 160²: 3 GB).
    """
    from dpa.bench.imports import measure_import

    found = measure_import(frames=frames, size=size, workers=workers, folder=folder)
    if as_json:
        typer.echo(json.dumps(found))
        return
    _tell_import(found)


def _tell_import(found: dict[str, Any]) -> None:
    from dpa.engine.cli.console import print_table

    rows = [
        [name, f"{one['seconds']:.2f}", f"{one['images_per_s']:,.0f}", f"{one['mb_per_s']:.0f}"]
        for name in ("import", "decode", "copy")
        for one in [found[name]]
    ]
    title = f"{found['frames']:,} JPEG files of {found['size'][0]}², {found['workers']} process(es)"
    print_table(title, ("", "seconds", "images/s", "MB/s decoded"), rows)
    peak = {name: "unknown" if mb is None else f"{mb:.0f} MB" for name, mb in found["peak_mb"].items()}
    typer.echo(
        f"plain decoding and copying take {100 * found['share_of_plain']:.0f} % of the import's time\n"
        f"peak memory: {peak['tenth']} with a tenth of the pictures, {peak['all']} with all"
    )
    if found["largest_worker_mb"] is not None:
        typer.echo(f"largest worker: {found['largest_worker_mb']:.0f} MB")


def kernels(
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Batch sizes  [default: 32 and 256]")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.01, help="Duration of each measurement.")] = 3.0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Time composite_crop, forward and backward, against compositing and cropping with grid_sample."""
    from dpa.bench.composite_crop import measure_composite_crop, ratios
    from dpa.kernels import BACKENDS

    batches = batch or [32, 256]
    rows = measure_composite_crop(batches=batches, threads=threads, duration_s=seconds, device=device)
    compared = ratios(rows)
    again = [*(f"--batch {n}" for n in batches), f"--threads {threads}", f"--seconds {seconds:g}"]
    command = " ".join(["dpa-engine bench kernels", *again, f"--device {device}"])
    if as_json:
        document = {"rows": rows, "ratios": compared, "device": device, "threads": threads}
        typer.echo(json.dumps({**document, "backends": dict(BACKENDS), "command": command}))
        return
    from rich.console import Console
    from rich.table import Table

    title = f"composite_crop ({device}, {threads} core(s)) and the same in two steps with grid_sample"
    columns = ("input of", "batch", "", "fwd ms", "+ bwd ms", "samples/s", "GB/s", "ratio")
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        key = f"{row['name']}/two-step, {row['view']}, batch {row['batch']}"
        table.add_row(
            str(row["view"]),
            str(row["batch"]),
            str(row["name"]),
            f"{row['forward_ms']:.2f}",
            f"{row['forward_backward_ms']:.2f}",
            f"{row['samples_per_s']:,.0f}",
            f"{row['gb_per_s']:.2f}",
            f"{compared[key]:.1f}×" if key in compared else "",
        )
    Console().print(table)
    typer.echo(f"again: {command}")
