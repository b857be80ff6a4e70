"""`dpa-engine bench step`: one value and gradient of the attack, by back-end and batch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dpa.bench.config import StepBench
from dpa.engine.cli.options import ARGUMENT, JsonOnly, offers
from dpa.models.config import load_config


@offers(StepBench, source=ARGUMENT, name="--name...", batch="--batch...")
def bench_step(
    flags: Mapping[str, object],
    plot: Annotated[Path | None, typer.Option(help="Write throughput against batch, and a roofline.")] = None,
    as_json: JsonOnly = False,
) -> None:
    """Time one step: ms, samples/s, FLOP/s against a matrix product of the same run, peak memory.

    FLOP are those of the task: a back-end that leaves out work is credited with it.
    """
    import json

    from dpa.bench.step import bench_steps, plot_steps
    from dpa.engine.cli.progress import making_evaluation_set

    with making_evaluation_set() as making:
        document = bench_steps(load_config(StepBench, flags=flags), making)
    if plot is not None:
        by_dtype, copied = document["matmul_gflops_by_dtype"], document["memory_gb_per_s"]
        plot_steps(document["rows"], by_dtype, copied, plot)
    if as_json:
        typer.echo(json.dumps(document))
    else:
        _print(document)


def _print(document: dict[str, Any]) -> None:
    from dpa.engine.cli.console import print_table

    rates = {(row["name"], row["batch"]): row["samples_per_s"] for row in document["rows"]}
    first = document["rows"][0]["name"]
    table = [
        [
            f"{row['name']}, {row['batch']}",
            f"{row['step_ms']:.1f}",
            f"{row['samples_per_s']:.0f}",
            f"{row['samples_per_s'] / rates[first, row['batch']]:.2f}×",
            f"{row['achieved_gflops']:.1f}",
            f"{100 * row['achieved_gflops'] / document['matmul_gflops']:.0f} %",
            f"{row['peak_mb']:.0f}" if row["peak_mb"] is not None else "",
        ]
        for row in document["rows"]
    ]
    columns = ["step, batch", "ms", "samples/s", f"/{first}", "GFLOP/s", "of matmul", "peak MB"]
    print_table(f"One step of the attack on {document['device']}", columns, table)
    peaks = ", ".join(f"{name} {rate:,.0f}" for name, rate in document["matmul_gflops_by_dtype"].items())
    waits, moved = document.get("host_waits_per_iteration"), document.get("bytes_moved_per_iteration")
    counted = ""
    if waits is not None and moved is not None:
        counted = f"on a GPU, an iteration: {waits:.2f} waits of the host, {moved / 1e6:.1f} MB moved\n"
    typer.echo(
        f"matrix product, GFLOP/s: {peaks}; copy: {document['memory_gb_per_s']:.1f} GB/s\n"
        f"{counted}again: {document['command']}"
    )
