"""`dpa-engine attack`: the appearance-only attack of the paper on a trained network."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.cli.inputs import open_store
from dpa.engine.cli.options import ARGUMENT, offers

if TYPE_CHECKING:
    from dpa.engine.attack.run import Networks
    from dpa.engine.runs.directory import RunDirectory
    from dpa.models.data.store import PackedStore

Flag = typer.Option


@offers(AttackRunConfig, source=ARGUMENT, min_error_mm="--min-error")
def attack(
    flags: Mapping[str, object],
    out: Annotated[Path | None, Flag(help="Run directory. [runs/attack-TIME]")] = None,
    resume: Annotated[
        Path | None, Flag(metavar="RUN", help="Go on with a run that was stopped, with its settings.")
    ] = None,
    config: Annotated[Path | None, Flag(help="YAML file of settings; the flags win.")] = None,
    set_: Annotated[list[str] | None, Flag("--set", metavar="A=B", help="One setting.")] = None,
    sweep: Annotated[
        bool, Flag("--sweep", help="Try several step sizes instead and print what each costs.")
    ] = False,
    dry_run: Annotated[bool, Flag("--dry-run", help="Print the settings in force and stop.")] = False,
    as_json: Annotated[bool, Flag("--json", help="Print JSON only.")] = False,
) -> None:
    """Change nothing but a person's appearance until the network's 3D pose breaks.

    Takes the appearance code of each frame uphill on the pose error, pose code and mask frozen, as
    Algorithm 1 of the paper. Prints a table per subject and writes a run directory with report.md. A run
    that was stopped, even by a power cut, goes on with --resume and ends with the same results.

    To repeat a run to the last bit name its --backend: auto measures. The paper leaves the optimiser open:
    polyak, whose step adapts to each sample, is the fastest at equal success and change of the picture.
    Tables (zoo card, reproduce) are made with --protocol paper.
    """
    from dpa.engine.attack.resume import OptionWithResume, resumed_settings
    from dpa.engine.runs.directory import RunDirectory
    from dpa.models.config import load_config, to_yaml
    from dpa.models.errors import InputError

    if sweep and out is not None:
        raise InputError("--sweep with --out", "one of them: a sweep writes nothing", "leave one out")
    run = None
    if resume is None:
        settings = load_config(AttackRunConfig, config, set_ or (), flags)
    else:
        for option, given in (("--out", out), ("--config", config), ("--sweep", sweep)):
            if given:
                raise OptionWithResume(option)
        run = RunDirectory.open(resume, incomplete=True)
        settings = resumed_settings(run, flags, set_ or ())
    if dry_run:
        typer.echo(to_yaml(settings), nl=False)
        return
    from dpa.engine.api.attack import networks_of

    networks, store = networks_of(settings), open_store(settings.source)
    natural = _natural(settings)
    if sweep:
        _sweep(settings, networks, store, natural, as_json)
    else:
        _attack(settings, networks, store, natural, run or out, as_json)


def _natural(settings: AttackRunConfig) -> "PackedStore | None":
    from dpa.engine.api.attack import natural_set
    from dpa.engine.cli.progress import counted

    with counted("dressing people anew (once)") as report:
        return natural_set(settings, report)


def _attack(
    settings: AttackRunConfig,
    networks: "Networks",
    store: "PackedStore",
    natural: "PackedStore | None",
    place: "RunDirectory | Path | None",
    as_json: bool,
) -> None:
    """place: the run to go on with, or where a new one begins."""
    import json

    from dpa.engine.api.attack import carry_out
    from dpa.engine.attack.summary import require_sound
    from dpa.engine.cli.progress import of_attack, shown
    from dpa.engine.runs.directory import RunDirectory

    if isinstance(place, RunDirectory):
        run = place
    else:
        run = RunDirectory.create(place, "attack", settings.model_dump(mode="json"))
    with shown("attack") as show:
        progress = of_attack(show, min(settings.samples, len(store)))
        done = carry_out(run, settings, networks, store, natural, progress)
    results = dict(done.results)
    if as_json:
        typer.echo(json.dumps(results))
    else:
        _print_results(results, store.source)
        typer.echo(f"report: {done.report}")
    require_sound(results)


def _print_results(results: dict[str, Any], source: str) -> None:
    from dpa.engine.attack.evidence import evidence_in_words
    from dpa.engine.attack.summary import data_note, method_in_words
    from dpa.engine.cli.console import show_table
    from dpa.engine.report.attack_report import subjects_table
    from dpa.engine.report.renderers import figure_text

    show_table(subjects_table(results))
    right = results["mpjpe_ground_truth_mm"]
    truth = "these data hold no true poses" if right is None else f"{figure_text(right)} mm"
    image, speed, steps = results["image"], results["throughput"], results["iterations"]
    for key, what in (("nonfinite", "no finite numbers"), ("no_gradient", "no gradient")):
        if results[key]:
            typer.echo(f"left out: {results[key]:,} samples with {what}")
    typer.echo(
        f"{data_note(source)}\n"
        f"prediction against true pose: {truth}\n"
        f"adversarial against synthesised frame: SSIM {figure_text(image['ssim'], 3)},"
        f" PSNR {figure_text(image['psnr_db'], 2)} dB, MSE {figure_text(image['mse'], 5)}\n"
        f"iterations: median {steps['p50']:.0f}, 90th percentile {steps['p90']:.0f}, most {steps['max']}\n"
        f"speed: {speed['samples_per_s']:.2f} samples/s,"
        f" {speed['sample_iterations_per_s']:.0f} sample-iterations/s on {results['device']}\n"
        f"method: {method_in_words(results['method'])}"
    )
    for line in evidence_in_words(results):
        typer.echo(line)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _sweep(
    settings: "AttackRunConfig",
    networks: "Networks",
    store: "PackedStore",
    natural: "PackedStore | None",
    as_json: bool,
) -> None:
    import json

    from dpa.engine.attack.config import SWEPT
    from dpa.engine.attack.run import sweep_step_sizes
    from dpa.engine.attack.summary import data_note
    from dpa.engine.cli.console import print_table
    from dpa.engine.evaluation_set import choose_samples

    chosen = choose_samples(store, settings.samples, settings.seed, settings.subjects)
    rows = sweep_step_sizes(networks, store, chosen, settings, SWEPT[settings.optimiser], natural)
    if as_json:
        typer.echo(json.dumps({"target": settings.target, "optimiser": settings.optimiser, "rows": rows}))
        return
    table = [["–" if value is None else f"{value:.4g}" for value in row.values()] for row in rows]
    print_table(f"{settings.optimiser} on {settings.target}, {len(chosen)} samples", list(rows[0]), table)
    typer.echo(data_note(store.source))
