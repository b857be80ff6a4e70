"""`dpa-engine bench sessions`: back-end × precision × batch, with the price of each in millimetres."""

from pathlib import Path
from typing import Annotated, Any

import typer


def bench_sessions(
    network: Annotated[str, typer.Argument(help="zoo:NAME or a run directory.")],
    engine: Annotated[
        Path | None, typer.Option(help="Engine folder of this network (default: exported for this run).")
    ] = None,
    graph: Annotated[str, typer.Option(help="pose, encode, decode or regress.")] = "pose",
    backend: Annotated[str, typer.Option(help="As for export, when exporting.")] = "onnx",
    precision: Annotated[str, typer.Option(help="As for export, when exporting.")] = "fp32,int8",
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Batch sizes (default: 1, 32).")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.0, help="Duration of each measurement.")] = 3.0,
    data: Annotated[Path | None, typer.Option(help="Packed set (default: the evaluation set).")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot of images/s against batch.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Time eager torch and every engine of a graph in one interleaved run.

    images/s is compute alone, on tensors that are ready; end to end starts from uint8 frames.
    """
    import json
    import tempfile

    import torch

    from dpa.bench.session_rows import measure_sessions
    from dpa.engine.devices import device_name
    from dpa.engine.sessions.engine_folder import EngineFolder
    from dpa.export.build import build_engines
    from dpa.export.held_out import held_out_frames
    from dpa.export.variants import choose_variants
    from dpa.models.training.checkpoint import load_network

    torch.set_num_threads(threads)
    loaded, batches = load_network(network), batch or [1, 32]
    frames, calibration = held_out_frames(data, 128)
    rejected: list[Any] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = engine or Path(temporary) / "engines"
        if engine is None:
            variants = choose_variants(backend.split(","), precision.split(","))
            report = build_engines(
                loaded, folder, variants, frames, calibration, source=network, graphs=[graph]
            )
            rejected = report.as_json()["rejected"]
        measured = measure_sessions(loaded, graph, EngineFolder(folder), frames, batches, threads, seconds)
    rows = [{"network": network, **row} for row in measured]
    if plot is not None:
        from dpa.bench.session_plot import plot_sessions

        plot_sessions(rows, plot)
    if not as_json:
        _print(rows, rejected, graph, threads)
        return
    chosen = f"--engine {engine}" if engine else f"--backend {backend} --precision {precision}"
    options = [f"--graph {graph}", chosen, *(f"--batch {size}" for size in batches), f"--threads {threads}"]
    result = {
        "rows": rows,
        "rejected": rejected,
        "device": device_name(torch.device("cpu")),
        "threads": threads,
        "command": " ".join(["dpa-engine bench sessions", network, *options]),
    }
    typer.echo(json.dumps(result))


def _print(rows: list[dict[str, Any]], rejected: list[Any], graph: str, threads: int) -> None:
    from dpa.engine.console import print_table

    torch_rates = {row["batch"]: row["images_per_s"] for row in rows if row["backend"] == "torch"}
    columns = ["back-end", "img/s", "× torch", "from u8", "p50/p99 ms", "shift mm"]
    for batch, torch_rate in torch_rates.items():
        table = [
            [
                f"{row['backend']} {row['precision']}",
                f"{row['images_per_s']:,.0f}",
                f"{row['images_per_s'] / torch_rate:.2f}",
                f"{row['images_per_s_end_to_end']:,.0f}" if row["images_per_s_end_to_end"] else "",
                f"{row['p50_ms']:.1f}/{row['p99_ms']:.1f}",
                f"{row['mpjpe_shift_mm']:.2g}",
            ]
            for row in rows
            if row["batch"] == batch
        ]
        for entry in rejected:
            name, shift = f"{entry['backend']} {entry['precision']}", entry["parity"]["mean_mm"]
            table.append([name, "", "", "", "over its limit", f"{shift:.2g}"])
        print_table(f"{graph}, batch {batch}, {threads} core(s)", columns, table)
