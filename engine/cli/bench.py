"""`dpa-engine bench`: throughput and latency on this machine. The larger benches have a file of their own."""

import json
from collections.abc import Mapping
from typing import Any

import typer

from dpa.bench.config import ImportBench, KernelBench, StoreBench
from dpa.engine.cli.options import JsonOnly, offers
from dpa.models.config import load_config


@offers(StoreBench)
def data(flags: Mapping[str, object], as_json: JsonOnly = False) -> None:
    """Time the opening of a packed store and the loading of random batches from a warm cache."""
    from dpa.bench.data import measure_store

    settings = load_config(StoreBench, flags=flags)
    found = measure_store(settings)
    if as_json:
        typer.echo(json.dumps(found))
        return
    from rich.console import Console
    from rich.table import Table

    what = f"{settings.frames:,} frames of {settings.size}², random batches of {settings.batch}"
    title = f"{what}, {settings.threads} core(s)"
    table = Table("", "p10", "p50", "p90", "images/s", title=title, title_justify="left")
    for name, timing in found.items():
        if isinstance(timing, dict):
            times = [f"{timing[key] * 1e3:.1f} ms" for key in ("p10_s", "p50_s", "p90_s")]
            rate = f"{timing['images_per_s']:,.0f}" if "images_per_s" in timing else ""
            table.add_row(name.replace("_", " "), *times, rate)
    Console().print(table)


@offers(ImportBench)
def import_(flags: Mapping[str, object], as_json: JsonOnly = False) -> None:
    """Time the import of JPEG files into a packed store, beside plain decoding and copying of the same.

    A tenth of the pictures is imported first: whether peak memory grows with their number is told by both.
    Needs about four times the decoded pictures' room on the disk for a while (10,000 of 160²: 3 GB).
    """
    from dpa.bench.imports import measure_import

    found = measure_import(load_config(ImportBench, flags=flags))
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


@offers(KernelBench, batch="--batch...")
def kernels(flags: Mapping[str, object], as_json: JsonOnly = False) -> None:
    """Time composite_crop, forward and backward, against compositing and cropping with grid_sample."""
    from dpa.bench.composite_crop import measure_composite_crop, ratios
    from dpa.kernels import BACKENDS

    settings = load_config(KernelBench, flags=flags)
    threads, device = settings.threads, settings.device
    rows = measure_composite_crop(settings)
    compared = ratios(rows)
    again = [*(f"--batch {n}" for n in settings.batch), f"--threads {threads}"]
    again.append(f"--seconds {settings.seconds:g}")
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
