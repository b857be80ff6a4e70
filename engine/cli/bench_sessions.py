"""`dpa-engine bench sessions`: back-end × precision × batch, with the price of each in millimetres."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dpa.engine.cli.inputs import NETWORK

EXPORTED_AS = {"onnxruntime": "onnx", "openvino": "openvino", "tensorrt": "tensorrt", "torch": "onnx"}
"""A row's back-end → what `--backend` calls it; torch takes part in every run."""


def bench_sessions(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...",
            help=f"{NETWORK}; or untrained:paper, untrained:small (speed only).",
        ),
    ],
    engine: Annotated[
        Path | None,
        typer.Option(help="Engine folder of the one network (default: exported for this run)."),
    ] = None,
    graph: Annotated[str, typer.Option(help="pose, encode, decode or regress.")] = "pose",
    backend: Annotated[str, typer.Option(help="As for export, when exporting.")] = "onnx",
    precision: Annotated[str, typer.Option(help="As for export, when exporting.")] = "fp32,int8",
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Batch sizes (default: 1, 32).")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.0, help="Duration of each measurement.")] = 3.0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    data: Annotated[Path | None, typer.Option(help="Packed set (default: the evaluation set).")] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames for parity, and as many to calibrate.")] = 128,
    plot: Annotated[Path | None, typer.Option(help="Write a plot of images/s against batch.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Time eager torch and every engine of a graph in one interleaved run.

    images/s is compute alone, on tensors that are ready; end to end starts from uint8 frames. Each
    session runs in a process of its own, in turns. An untrained network has no millimetres: its rows say
    how fast its size is. Where `pose` at batch 32 is slower than was asked for, a line says why.
    """
    import json

    import torch

    from dpa.models.devices import device_name, pick_device
    from dpa.models.errors import InputError

    if engine is not None and len(networks) > 1:
        raise InputError(
            f"--engine {engine} for {len(networks)} networks", "one network", "leave out --engine"
        )
    if device not in ("cpu", "cuda"):
        raise InputError(f"device {device!r}", "cpu or cuda", "use --device cpu")
    place = pick_device(device)
    torch.set_num_threads(threads)
    batches = batch or [1, 32]
    tail = [*(f"--batch {size}" for size in batches), f"--threads {threads}", f"--seconds {seconds:g}"]
    tail += [f"--frames {frames}", f"--device {device}"] + ([f"--data {data}"] if data else [])
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for network in networks:
        made, refused = _measure(
            network, engine, graph, backend, precision, batches, threads, seconds, device, data, frames
        )
        for row in made:
            chosen = f"--backend {EXPORTED_AS[row['backend']]} --precision {row['precision']}"
            chosen = f"--engine {engine}" if engine else chosen
            own = [f"--batch {row['batch']}", *tail[len(batches) :]]
            command = " ".join(["dpa-engine bench sessions", network, f"--graph {graph}", chosen, *own])
            rows.append({"network": network, **row, "command": command})
        rejected += [{"network": network, **entry} for entry in refused]
    if plot is not None:
        from dpa.bench.sessions import plot_sessions

        plot_sessions(rows, plot)
    from dpa.bench.sessions import missed, reasons

    misses = missed(rows) if device == "cpu" else []
    if not as_json:
        _print(rows, rejected, graph, threads)
        typer.echo("\n".join(reasons(misses)), nl=bool(misses))
        return
    chosen = f"--engine {engine}" if engine else f"--backend {backend} --precision {precision}"
    result = {
        "rows": rows,
        "rejected": rejected,
        "missed": misses,
        "device": device_name(place),
        "threads": threads,
        "command": " ".join(["dpa-engine bench sessions", *networks, f"--graph {graph}", chosen, *tail]),
    }
    typer.echo(json.dumps(result))


def _measure(
    network: str,
    engine: Path | None,
    graph: str,
    backend: str,
    precision: str,
    batches: list[int],
    threads: int,
    seconds: float,
    device: str,
    data: Path | None,
    frames: int,
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Rows of one network, and the engines that were over their limit."""
    import tempfile

    from dpa.bench.sessions import measure_sessions, subject
    from dpa.engine.sessions.engine_folder import EngineFolder
    from dpa.export.build import build_engines
    from dpa.export.parity import LARGEST, LIMITS_MM
    from dpa.export.variants import choose_variants

    one = subject(network, data, frames)
    rejected: list[Any] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = engine or Path(temporary) / "engines"
        if engine is None:
            variants = choose_variants(backend.split(","), precision.split(","))
            limits = LIMITS_MM if one.trained else dict.fromkeys(LIMITS_MM, LARGEST)
            report = build_engines(
                one.network,
                folder,
                variants,
                one.frames,
                one.calibration,
                source=network,
                graphs=[graph],
                limits_mm=limits,
                buckets=batches,
            )
            rejected = report.as_json()["rejected"]
        rows = measure_sessions(
            one.network, graph, EngineFolder(folder), one.frames, batches, threads, seconds, device
        )
    if not one.trained:
        rows = [row | {"mpjpe_shift_mm": None} for row in rows]
    return rows, rejected


def _print(rows: list[dict[str, Any]], rejected: list[Any], graph: str, threads: int) -> None:
    from dpa.engine.cli.console import print_table

    torch_rates = {
        (row["network"], row["batch"]): row["images_per_s"] for row in rows if row["backend"] == "torch"
    }
    columns = ["back-end", "img/s", "× torch", "from u8", "p50/p99 ms", "shift mm"]
    for (network, batch), torch_rate in torch_rates.items():
        table = [
            [
                f"{row['backend']} {row['precision']}",
                f"{row['images_per_s']:,.0f}",
                f"{row['images_per_s'] / torch_rate:.2f}",
                f"{row['images_per_s_end_to_end']:,.0f}" if row["images_per_s_end_to_end"] else "",
                f"{row['p50_ms']:.1f}/{row['p99_ms']:.1f}",
                "untrained" if row["mpjpe_shift_mm"] is None else f"{row['mpjpe_shift_mm']:.2g}",
            ]
            for row in rows
            if (row["network"], row["batch"]) == (network, batch)
        ]
        for entry in rejected:
            if entry["network"] == network:
                name, shift = f"{entry['backend']} {entry['precision']}", entry["parity"]["mean_mm"]
                table.append([name, "", "", "", "over its limit", f"{shift:.2g}"])
        print_table(f"{network} {graph}, batch {batch}, {threads} core(s)", columns, table)
