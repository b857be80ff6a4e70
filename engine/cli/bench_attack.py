"""`dpa-engine bench attack`: the plain loop, the engine's step back-ends and peers on the same samples."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dpa.engine.cli.inputs import NETWORK

Flag = typer.Option


def bench_attack(
    source: Annotated[Path | None, typer.Argument(help="Packed set (default: the evaluation set).")] = None,
    target: Annotated[str, Flag(help=f"Network that is attacked: {NETWORK}.")] = "zoo:nsd",
    name: Annotated[
        list[str] | None,
        Flag(help="plain, eager, fused, compiled, auto-same, auto [default: these]; foolbox, art."),
    ] = None,
    samples: Annotated[int, Flag(min=1, help="Held-out frames.")] = 256,
    batch: Annotated[int, Flag(min=1, help="Samples that the engine attacks at once.")] = 256,
    plain_batch: Annotated[int, Flag(min=1, help="Batch of the plain loop and of peers.")] = 32,
    step_size: Annotated[float | None, Flag(help="Likewise, in units of the code.  [by optimiser]")] = None,
    optimiser: Annotated[
        str, Flag(help="Of all but auto: adam, sgd or sign; without plain also polyak.")
    ] = "adam",
    max_steps: Annotated[int, Flag(min=0, help="Updates of a sample at most.")] = 200,
    min_error: Annotated[float, Flag(help="Success is an MPJPE above this, mm.")] = 175.0,
    peer_steps: Annotated[int, Flag(min=1, help="Steps of foolbox and art, which never stop early.")] = 40,
    rounds: Annotated[int, Flag(min=1, help="Repeats; the median counts.")] = 1,
    threads: Annotated[int | None, Flag(min=1, help="Processor cores to use.  [default: torch's]")] = None,
    seed: Annotated[int, Flag(help="Picks the samples.")] = 0,
    device: Annotated[str, Flag(help="auto, cpu or cuda.")] = "auto",
    sweep: Annotated[
        bool, Flag("--sweep", help="plain, auto-same and auto at several step sizes: speed against change.")
    ] = False,
    plot: Annotated[
        Path | None, Flag(help="With --sweep: write the front of samples/s against PSNR.")
    ] = None,
    cpu_time: Annotated[
        bool, Flag("--cpu-time", help="Plot samples per processor second, where other work disturbs.")
    ] = False,
    as_json: Annotated[bool, Flag("--json", help="Print JSON only.")] = False,
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

    import torch

    from dpa.bench.attack import RATES, load_task, measure_attack, measure_sweep, plot_sweep
    from dpa.engine.attack.config import AttackConfig
    from dpa.engine.cli.progress import making_evaluation_set

    if threads is not None:
        torch.set_num_threads(threads)
    config = AttackConfig.model_validate(
        {
            "batch": batch,
            "optimiser": optimiser,
            "step_size": step_size,
            "max_steps": max_steps,
            "min_error_mm": min_error,
            "seed": seed,
        }
    )
    with making_evaluation_set() as making:
        task = load_task(source, target, samples, seed, device, making)
    options = [str(source)] if source else []
    options += [f"--target {target}", f"--samples {samples}", f"--batch {batch}"]
    options += [
        f"--plain-batch {plain_batch}",
        f"--optimiser {optimiser}",
        f"--step-size {config.step_size:g}",
    ]
    options += [f"--max-steps {max_steps}", f"--min-error {min_error:g}", f"--rounds {rounds}"]
    options += [f"--peer-steps {peer_steps}"] if {"foolbox", "art"} & set(name or ()) else []
    options += [f"--threads {torch.get_num_threads()}", f"--seed {seed}", f"--device {device}"]
    command = " ".join(["dpa-engine bench attack", *options])
    if sweep:
        document = measure_sweep(task, config, name, plain_batch, rounds, f"{command} --sweep", _say)
        if plot is not None:
            plot_sweep(document["rows"], plot, _title(document), RATES[int(cpu_time)])
    else:
        document = measure_attack(task, config, name, plain_batch, rounds, command, _say, peer_steps)
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
