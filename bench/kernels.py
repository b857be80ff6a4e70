"""`dpa-engine bench kernels`: the fused operation beside what one would write with grid_sample."""

import json
from typing import Annotated

import typer


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
