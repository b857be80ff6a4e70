"""`dpa-engine bench attack`: the plain loop, the engine's step back-ends and peers on the same samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dpa.bench.config import AttackBench
from dpa.engine.cli.options import ARGUMENT, JsonOnly, offers
from dpa.models.config import load_config

Flag = typer.Option


@offers(AttackBench, source=ARGUMENT, name="--name...", min_error_mm="--min-error")
def bench_attack(
    flags: Mapping[str, object],
    sweep: Annotated[
        bool, Flag("--sweep", help="plain, auto-same and auto at several step sizes: speed against change.")
    ] = False,
    plot: Annotated[
        Path | None, Flag(help="With --sweep: write the front of samples/s against PSNR.")
    ] = None,
    cpu_time: Annotated[
        bool, Flag("--cpu-time", help="Plot samples per processor second, where other work disturbs.")
    ] = False,
    as_json: JsonOnly = False,
) -> None:
    """Time whole attacks: samples/s to the same outcome, judged by the same fp32 target.

    All take turns, so that a change of the machine's speed meets everyone. An iteration is the value and
    gradient of one sample; the plain loop's count those of samples that wait for their batch's last one.
    auto does as `dpa-engine attack` does: the fastest step and an optimiser that needs fewer of them;
    auto-same is the fastest step with the plain loop's optimiser.

    foolbox and art (extra "peers") climb the same objective with their own loops, which stop no sample at
    success. torchattacks cannot express it: each of its attacks holds the cross-entropy of class labels in
    its own loop and takes only images in [0, 1].
    """
    import json

    from dpa.bench import attack
    from dpa.engine.cli.progress import making_evaluation_set

    with making_evaluation_set() as making:
        settings = load_config(AttackBench, flags=flags)
        document = attack.bench_attack(settings, _say, sweep=sweep, progress=making)
    if sweep and plot is not None:
        attack.plot_sweep(document["rows"], plot, _title(document), attack.RATES[int(cpu_time)])
    if as_json:
        typer.echo(json.dumps(document))
    else:
        _print(document)


def _title(document: dict[str, Any]) -> str:
    """What and when, and whether the machine was its own."""
    config, load = document["config"], document["load_average"]
    told = "" if load is None else f", load average at the start {load:.1f}"
    return (
        f"{document['samples']} samples, {config['max_steps']} updates at most\n"
        f"{document['device']}, {document['date']}{told}"
    )


def _say(words: str) -> None:
    typer.echo(words, err=True)


def _print(document: dict[str, Any]) -> None:
    from dpa.engine.cli.console import print_table
    from dpa.engine.report.renderers import figure_text

    compared = document["ratios"]
    first = document["rows"][0]["name"]
    table = [
        [
            line["name"],
            f"{line['samples_per_s']:.2f}",
            f"{compared.get(line['name'] + '/' + first, 1.0):.2f}×",
            f"{line['sample_iterations_per_s']:.0f}",
            f"{line['iterations']:.1f}",
            f"{100 * line['success_rate']:.1f} %",
            figure_text(line["mpjpe_final_mm"]),
            figure_text(line["psnr_db"], 2),
            figure_text(line["cpu_ms_per_iteration"], 2),
        ]
        for line in document["rows"]
    ]
    columns = [
        "",
        "samples/s",
        f"/{first}",
        "iter/s",
        "iter",
        "> threshold",
        "final mm",
        "PSNR dB",
        "cpu ms/iter",
    ]
    print_table(f"Attack on {document['device']}", columns, table)
    for line in document["rows"]:
        if line["note"] or line["setup_s"] > 1:
            typer.echo(f"{line['name']}: {line['note']} (made ready in {line['setup_s']:.1f} s)")
    peak = ", ".join(f"{name} {rate:,.0f}" for name, rate in document["matmul_gflops_by_dtype"].items())
    typer.echo(
        f"best step: {document['achieved_gflops']:,.1f} GFLOP/s; matrix product, GFLOP/s: {peak}\n"
        f"again: {document['command']}"
    )
