"""`dpa-engine bench sessions`: back-end × precision × batch, with the price of each in millimetres."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dpa.bench.config import SessionBench
from dpa.engine.cli.inputs import NETWORK
from dpa.engine.cli.options import JsonOnly, offers
from dpa.models.config import load_config


@offers(SessionBench, batch="--batch...")
def bench_sessions(
    flags: Mapping[str, object],
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...",
            help=f"{NETWORK}; or untrained:paper, untrained:small (speed only).",
        ),
    ],
    plot: Annotated[Path | None, typer.Option(help="Write a plot of images/s against batch.")] = None,
    as_json: JsonOnly = False,
) -> None:
    """Time eager torch and every engine of a graph in one interleaved run.

    images/s is compute alone, on tensors that are ready; end to end starts from uint8 frames. Each
    session runs in a process of its own, in turns. An untrained network has no millimetres: its rows say
    how fast its size is. Where `pose` at batch 32 is slower than was asked for, a line says why.
    """
    import json

    from dpa.bench import sessions
    from dpa.engine.cli.progress import shown

    settings = load_config(SessionBench, flags=flags)
    with shown("measuring") as show:
        document = sessions.bench_sessions(
            networks, settings, lambda name: show(f"measuring {name}", 0, None)
        )
    if plot is not None:
        sessions.plot_sessions(document["rows"], plot)
    if as_json:
        typer.echo(json.dumps(document))
        return
    print_rows(document["rows"], document["rejected"], settings.graph, settings.threads)
    typer.echo("\n".join(sessions.reasons(document["missed"])), nl=bool(document["missed"]))


def print_rows(rows: list[dict[str, Any]], rejected: list[Any], graph: str, threads: int) -> None:
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
