"""`dpa-engine zoo`: the bundled networks: built, measured, ablated, held against known answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.cli.inputs import NAMED, NETWORK, open_store

if TYPE_CHECKING:
    from dpa.engine.cli.progress import Show
    from dpa.engine.zoo.build import BuildWatch
    from dpa.engine.zoo.counterparts import Counterpart

Flag = typer.Option


def build(
    name: Annotated[str, typer.Argument(help="A recipe in models/zoo/recipes, e.g. nsd.")],
    out: Annotated[Path, typer.Option(help="Where the network's folder goes.")] = Path("runs/zoo/built"),
    work: Annotated[Path, typer.Option(help="Data, checkpoints and logs of the build.")] = Path("runs/zoo"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Generate the data, train, fit the regressor, measure, and write the model card.

    Takes hours on a CPU. What is done stays done: a killed build goes on when it is called again.
    """
    from dpa.engine.cli.progress import shown
    from dpa.engine.zoo.build import Workshop
    from dpa.engine.zoo.build import build as build_network
    from dpa.models.devices import pick_device
    from dpa.models.zoo.recipe import read_recipe

    recipe, place = read_recipe(name), pick_device(device)
    with shown("building") as show:
        folder = build_network(Workshop(name, recipe, work, place, _watch(show)), out)
    typer.echo(str(folder))


def _watch(show: "Show") -> "BuildWatch":
    from dpa.engine.cli.progress import of_attack, of_counts, of_training
    from dpa.engine.zoo.build import BuildWatch

    return BuildWatch(
        of_counts(show, "making the training set"), of_training(show), show, of_attack(show, None)
    )


def card(
    name: Annotated[str, typer.Argument(help="A network of the zoo, e.g. nsd.")],
    out: Annotated[Path | None, typer.Option(help="Run directory. [runs/card-TIME]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Measure a bundled network again, print its model card and keep it in a run directory."""
    from dpa.engine.cli.progress import shown
    from dpa.engine.runs.directory import RunDirectory
    from dpa.engine.zoo.build import CARD, describe
    from dpa.models.devices import pick_device
    from dpa.models.training.checkpoint import network_folder
    from dpa.models.zoo.recipe import read_recipe

    folder = network_folder(f"zoo:{name}")
    read_recipe(name)  # the card quotes it; better missed before the attack than after
    with (
        RunDirectory.create(out, "card", {"network": f"zoo:{name}", "device": device}) as run,
        shown("measuring") as show,
    ):
        describe(name, folder, run.path, run.path / "attack", pick_device(device), _watch(show).attacking)
    typer.echo((run.path / CARD).read_text())
    typer.echo(f"card: {run.path / CARD}", err=True)


def ablate(
    networks: Annotated[
        list[str],
        typer.Argument(help=f"Networks to compare, each {NETWORK}; with --train, of nsd, cssl, drnet."),
    ],
    train: Annotated[
        bool, typer.Option("--train", help="Train each framework and its ablated twin first, alike.")
    ] = False,
    preset: Annotated[
        str | None, typer.Option(help="With --train: tiny, small or paper, for both. [as the recipe]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="With --train: optimiser steps, for both. [as the recipe]")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A=B",
            help="With --train: one setting of both recipes; what is ablated, of the unablated one alone.",
        ),
    ] = None,
    work: Annotated[
        Path, typer.Option(help="With --train: data, checkpoints and logs; what is done is reused.")
    ] = Path("runs/ablation"),
    data: Annotated[
        Path | None, typer.Option(help="Packed data set. Without it, the default evaluation set.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of people.")] = 256,
    seed: Annotated[int, typer.Option(help="Picks the pairs.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Exchange appearance between people, and measure colours, pose, silhouette and codes.

    With --train each framework is trained beside its twin without swap or adversary, on the same data, at one
    preset and for as many steps: `dpa-engine zoo ablate nsd --train --preset tiny --steps 3000`. A call that
    was killed goes on. Ablated networks of the zoo's own size: `dpa-engine zoo build nsd-no-swap --out
    runs/ablations`, likewise cssl-no-swap and drnet-no-adversary.
    """
    import json
    from dataclasses import asdict

    from dpa.engine.cli.console import show_table
    from dpa.engine.zoo.ablation import (
        ablation_table,
        codes_table,
        measure_codes,
        measure_swap,
        pairs_of_people,
    )
    from dpa.engine.zoo.counterparts import counterparts_of
    from dpa.models.devices import pick_device
    from dpa.models.training.checkpoint import load_network

    place = pick_device(device)
    settings = [f"train.{key}={value}" for key, value in (("preset", preset), ("steps", steps)) if value]
    settings += set_ or []
    twins = counterparts_of(networks, settings) if train else []
    _refuse_lost_settings(train, settings)
    specs = _trained(twins, work, device) if train else {name: name for name in networks}
    loaded = [(name, load_network(spec).to(place)) for name, spec in specs.items()]
    store = open_store(data)
    chosen = pairs_of_people(store, pairs, seed)
    swapped = [(name, measure_swap(network, store, chosen, place)) for name, network in loaded]
    codes = [(name, measure_codes(network, store, seed, place)) for name, network in loaded]
    if json_:
        both = zip(swapped, codes, strict=True)
        typer.echo(json.dumps({name: asdict(one) | asdict(code) for (name, one), (_, code) in both}))
        return
    data_told = f"{len(store):,} frames of {store.source}, seed {store.seed}"
    for made in (ablation_table(swapped, data_told), codes_table(codes)):
        show_table(made)
    for twin in twins:
        recipe = twin.recipe
        typer.echo(f"{twin.name}: {recipe.train.preset}, {recipe.train.steps:,} steps; {specs[twin.name]}")


def _refuse_lost_settings(train: bool, settings: list[str]) -> None:
    from dpa.models.errors import InputError

    if settings and not train:
        raise InputError(
            f"{', '.join(settings)} without --train",
            "settings of a training only where there is one",
            "add --train, or leave the settings out",
        )


def _trained(twins: "list[Counterpart]", work: Path, device: str) -> dict[str, str]:
    """The run directory of each, by its name."""
    from dpa.engine.cli.progress import shown
    from dpa.engine.zoo.counterparts import trained
    from dpa.models.devices import pick_device

    runs = {}
    for twin in twins:
        typer.echo(f"{twin.name}: {twin.recipe.train.preset}, {twin.recipe.train.steps:,} steps", err=True)
        with shown("training") as show:
            runs[twin.name] = str(trained(twin, work, pick_device(device), _watch(show)))
    return runs


def calibrate(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|NAME=SPEC]...",
            help=f"Beside (or in place of) silhouette, entangled, oracle-swap: names in the zoo, or {NAMED}.",
        ),
    ] = None,
    out: Annotated[Path, Flag(help="Folder; what it holds already is reused.")] = Path("runs/calibration"),
    data: Annotated[
        Path | None, Flag(help="Packed data set; without one, an evaluation set is made once and kept.")
    ] = None,
    stages: Annotated[
        str | None,
        Flag(
            metavar="attack,NAME",
            help="attack, and analyses as `analyze` names them. [all with a scale, but iob: slow]",
        ),
    ] = None,
    quick: Annotated[bool, Flag("--quick", help="Fewer samples and steps: rougher.")] = False,
    seed: Annotated[int | None, Flag(help="Picks frames and pairs. [0]")] = None,
    device: Annotated[str | None, Flag(help="auto, cpu or cuda. [auto]")] = None,
    set_: Annotated[list[str] | None, Flag("--set", metavar="A=B", help="As for `reproduce`.")] = None,
    markdown: Annotated[
        bool, Flag("--markdown", help="Print the table and its cells' commands as Markdown, for a README.")
    ] = False,
    as_json: Annotated[bool, Flag("--json", help="Print JSON only.")] = False,
) -> None:
    """Print the calibration table from whichever reference networks there are.

    The ends of every scale: `silhouette`, whose pose appearance cannot reach, and `entangled`, a plain
    autoencoder. A measure that cannot tell them apart is said to be uninformative. Writes calibration.json.
    """
    import json

    from dpa.engine.analysis.measures import REFERENCES
    from dpa.engine.cli.console import show_table
    from dpa.engine.cli.progress import of_stages, shown
    from dpa.engine.reproduce.calibration import take_calibration
    from dpa.engine.reproduce.config import QUICK, ReproduceConfig
    from dpa.engine.reproduce.participants import find_participants
    from dpa.export.cached_pose import cached_pose_session
    from dpa.models.config import load_config

    named = {text.partition("=")[0]: text for text in (*REFERENCES, *(networks or ()))}
    flags = {"frameworks": tuple(named.values()), "source": data, "seed": seed, "device": device}
    settings = load_config(ReproduceConfig, None, set_ or (), (dict(QUICK) if quick else {}) | flags)
    members, missing = find_participants(settings.frameworks)
    for one in missing:
        typer.echo(f"no {one.name} here; it comes from: {one.command}", err=True)
    store = open_store(settings.source)
    wanted = None if stages is None else stages.split(",")
    with shown() as show:
        found = take_calibration(settings, members, wanted, store, out, cached_pose_session, of_stages(show))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    if markdown:
        typer.echo(found.markdown(), nl=False)
        return
    for table in (found.table(), found.command_table()):
        show_table(table)
