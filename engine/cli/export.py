"""`dpa-engine export` and the script `export-engines`: a trained network to an engine folder."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.cli.inputs import NETWORK, takes_networks
from dpa.engine.cli.options import JsonOnly, offers
from dpa.engine.cli.readable_errors import ReadableErrors
from dpa.export.config import ExportConfig
from dpa.models.config import load_config

if TYPE_CHECKING:
    from dpa.export.build import BuildReport


@offers(ExportConfig)
def export_engines(
    flags: Mapping[str, object],
    network: Annotated[str, typer.Argument(metavar="NETWORK", help=f"{NETWORK}.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("engines"),
    as_json: JsonOnly = False,
) -> None:
    """Export a network's graphs, compare each engine with fp32 torch in millimetres, and ship those that
    keep their limit, with a manifest of SHA-256 sums. Exit code 1 when one does not.

    flips: attacks that the engine as judge would call another way than torch, of those that were tried."""
    import json

    from dpa.engine.cli.progress import shown
    from dpa.export.build import build_engines
    from dpa.export.parity import LIMITS_MM, held_out_frames
    from dpa.export.variants import choose_variants
    from dpa.models.training.checkpoint import load_network

    settings = load_config(ExportConfig, flags=flags)
    variants = choose_variants(settings.backend, settings.precision)
    loaded = load_network(network)
    parity, calibration = held_out_frames(settings.data, settings.frames, settings.seed)
    limits = LIMITS_MM if settings.limit is None else dict.fromkeys(LIMITS_MM, settings.limit)
    with shown("exporting") as show:
        report = build_engines(
            loaded,
            out,
            variants,
            parity,
            calibration,
            source=network if network.startswith("zoo:") else Path(network).resolve().name,
            graphs=settings.graphs,
            buckets=settings.buckets,
            limits_mm=limits,
            judged=settings.judged,
            progress=lambda step: show(f"exporting {step}", 0, None),
        )
    if as_json:
        typer.echo(json.dumps({"out": str(out), "network": network, **report.as_json()}))
    else:
        print_report(report, out)
    report.raise_rejected()


def print_report(report: "BuildReport", out: Path) -> None:
    from dpa.engine.cli.console import print_table

    columns = ["engine", "mean mm", "p99 mm", "max mm", "flips", ""]
    rows = []
    for entry in (*report.shipped, *report.rejected):
        parity = entry.parity
        figures = (f"{value:.3g}" for value in (parity.mean_mm, parity.p99_mm, parity.max_mm))
        verdicts = parity.verdicts
        flips = "" if verdicts is None else f"{verdicts.flips} of {verdicts.judged}"
        fate = "shipped" if entry in report.shipped else f"over {parity.limit_mm:g} mm"
        if entry.parity_on not in (None, entry.backend):
            fate += f", plan not run here, its ONNX on {entry.parity_on}"
        rows.append([f"{entry.graph} {entry.backend} {entry.precision}", *figures, flips, fate])
    for refusal in report.refused:
        name = f"{refusal.graph} {refusal.backend} {refusal.precision}"
        rows.append([name, "", "", "", "", "refused: " + refusal.reason[:80]])
    print_table(f"{out}: shift against fp32 torch", columns, rows)


app = typer.Typer(
    cls=ReadableErrors, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("export")(takes_networks(export_engines))


@app.callback()
def _root() -> None:
    """Trained networks to ONNX, OpenVINO and TensorRT engines."""


def main() -> None:
    """The console script `export-engines`: `dpa-engine export` under its own name."""
    app(["export", *sys.argv[1:]], prog_name="export-engines")
