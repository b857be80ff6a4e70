"""`dpa-engine bench step`: one value and gradient of the attack, by back-end and batch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dpa.engine.cli.inputs import NETWORK

Flag = typer.Option


def bench_step(
    source: Annotated[Path | None, typer.Argument(help="Packed set (default: the evaluation set).")] = None,
    target: Annotated[str, Flag(help=f"Network that is attacked: {NETWORK}.")] = "zoo:nsd",
    name: Annotated[list[str] | None, Flag(help="plain, eager, fused, compiled.  [default: all]")] = None,
    batch: Annotated[list[int] | None, Flag(min=1, help="Batch sizes.  [default: 1, 4, 16, 64]")] = None,
    seconds: Annotated[float, Flag(min=0.0, help="Duration of each measurement.")] = 3.0,
    rounds: Annotated[int, Flag(min=1, help="Turns that the back-ends take.")] = 3,
    threads: Annotated[int | None, Flag(min=1, help="Processor cores to use.  [default: torch's]")] = None,
    device: Annotated[str, Flag(help="auto, cpu or cuda.")] = "auto",
    plot: Annotated[Path | None, Flag(help="Write throughput against batch, and a roofline.")] = None,
    as_json: Annotated[bool, Flag("--json", help="Print JSON only.")] = False,
) -> None:
    """Time one step: ms, samples/s, FLOP/s against a matrix product of the same run, peak memory.

    FLOP are those of the task: a back-end that leaves out work is credited with it.
    """
    import json

    import torch

    from dpa.bench.attack import load_task
    from dpa.bench.roofline import matmul_gflops, memory_gb_per_s
    from dpa.bench.step import STEPS, measure_steps
    from dpa.engine.cli.progress import making_evaluation_set
    from dpa.engine.runs.environment import versions
    from dpa.models.devices import device_name

    if threads is not None:
        torch.set_num_threads(threads)
    batches, names = batch or [1, 4, 16, 64], name or list(STEPS)
    with making_evaluation_set() as making:
        task = load_task(source, target, max(2, *batches), 0, device, making)
    place = task.frames.device
    synchronise = torch.cuda.synchronize if place.type == "cuda" else lambda: None
    matmul = matmul_gflops(place, synchronise=synchronise)
    copied = memory_gb_per_s(place, synchronise=synchronise)
    rows = measure_steps(task, names, batches, seconds, rounds, synchronise)
    if plot is not None:
        from dpa.bench.step import plot_steps

        plot_steps(rows, matmul, copied, plot)
    options = [str(source)] if source else []
    options += [f"--target {target}", f"--seconds {seconds:g}", f"--rounds {rounds}", f"--device {device}"]
    options += [f"--threads {torch.get_num_threads()}"]
    for row in rows:
        row["command"] = " ".join(
            ["dpa-engine bench step", *options, f"--name {row['name']}", f"--batch {row['batch']}"]
        )
    chosen = [*(f"--name {one}" for one in names), *(f"--batch {size}" for size in batches)]
    document = {
        "rows": rows,
        "device": device_name(place),
        "matmul_gflops": max(matmul.values()),
        "matmul_gflops_by_dtype": matmul,
        "achieved_gflops": max(row["achieved_gflops"] for row in rows),
        "memory_gb_per_s": copied,
        "versions": versions(),
        "command": " ".join(["dpa-engine bench step", *options, *chosen]),
    }
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
    typer.echo(
        f"matrix product, GFLOP/s: {peaks}; copy: {document['memory_gb_per_s']:.1f} GB/s\n"
        f"again: {document['command']}"
    )
