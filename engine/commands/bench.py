"""`dpa-engine bench …`: throughput and latency on this machine."""

import json
from pathlib import Path
from typing import Annotated

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
