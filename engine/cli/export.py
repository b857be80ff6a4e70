"""`dpa-engine export` and the script `export-engines`: a trained network to an engine folder."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.cli.inputs import NETWORK, takes_networks
from dpa.engine.cli.readable_errors import ReadableErrors

if TYPE_CHECKING:
    from dpa.export.build import BuildReport


def export_engines(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help=f"{NETWORK}.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("engines"),
    backend: Annotated[str, typer.Option(help="Of onnx, openvino, tensorrt; with commas.")] = "onnx",
    precision: Annotated[str, typer.Option(help="Of fp32, fp16, bf16, int8; with commas.")] = "fp32",
    buckets: Annotated[str, typer.Option(help="Batch sizes of TensorRT plans; with commas.")] = (
        "1,8,32,128,256"
    ),
    graphs: Annotated[str, typer.Option(help="Of pose, encode, decode, regress, step; with commas.")] = (
        "pose,encode,decode,regress,step"
    ),
    data: Annotated[
        Path | None,
        typer.Option(help="Packed set for parity and calibration (default: the evaluation set)."),
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames for parity, and as many for calibration.")] = 128,
    judged: Annotated[
        int, typer.Option(min=0, help="Of these frames, so many are attacked for the verdicts; 0 for none.")
    ] = 32,
    limit: Annotated[
        float | None,
        typer.Option(help="Mean shift allowed, in mm (default: 1, and 3 for int8)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the frames.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
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

    variants = choose_variants(backend.split(","), precision.split(","))
    sizes = _buckets(buckets)
    loaded = load_network(network)
    parity, calibration = held_out_frames(data, frames, seed)
    with shown("exporting") as show:
        report = build_engines(
            loaded,
            out,
            variants,
            parity,
            calibration,
            source=network if network.startswith("zoo:") else Path(network).resolve().name,
            graphs=graphs.split(","),
            buckets=sizes,
            limits_mm=LIMITS_MM if limit is None else dict.fromkeys(LIMITS_MM, limit),
            judged=judged,
            progress=lambda step: show(f"exporting {step}", 0, None),
        )
    if as_json:
        typer.echo(json.dumps({"out": str(out), "network": network, **report.as_json()}))
    else:
        _print(report, out)
    report.raise_rejected()


def _buckets(text: str) -> tuple[int, ...]:
    """'1,8,32' → (1, 8, 32). Raises InputError."""
    from dpa.models.errors import InputError

    words = text.split(",")
    if not all(word.isdecimal() and 0 < int(word) <= 1 << 16 for word in words) or len(words) > 16:
        raise InputError(
            f"--buckets {text}", "up to 16 batch sizes such as 1,8,32", "name whole numbers from 1 to 65536"
        )
    return tuple(int(word) for word in words)


def _print(report: "BuildReport", out: Path) -> None:
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
