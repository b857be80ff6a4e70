"""`dpa-engine zoo ablate`: what the swap and the adversary are good for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.commands.specs import NETWORK

if TYPE_CHECKING:
    from dpa.engine.zoo.twins import Twin


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

    from dpa.engine.attack.progress import generation_progress
    from dpa.engine.console import print_table
    from dpa.engine.devices import pick_device
    from dpa.engine.evaluation_set import default_evaluation_set
    from dpa.engine.zoo.ablation import ablation_table, measure_swap, pairs_of_people
    from dpa.engine.zoo.ablation_codes import codes_table, measure_codes
    from dpa.engine.zoo.twins import twins_of
    from dpa.models.data.store import PackedStore
    from dpa.models.training.checkpoint import load_network

    place = pick_device(device)
    settings = [f"train.{key}={value}" for key, value in (("preset", preset), ("steps", steps)) if value]
    settings += set_ or []
    twins = twins_of(networks, settings) if train else []
    _refuse_lost_settings(train, settings)
    specs = _trained(twins, work, device) if train else {name: name for name in networks}
    loaded = [(name, load_network(spec).to(place)) for name, spec in specs.items()]
    with generation_progress() as report:
        store = PackedStore.open(data) if data is not None else default_evaluation_set(report)
    chosen = pairs_of_people(store, pairs, seed)
    swapped = [(name, measure_swap(network, store, chosen, place)) for name, network in loaded]
    codes = [(name, measure_codes(network, store, seed, place)) for name, network in loaded]
    if json_:
        both = zip(swapped, codes, strict=True)
        typer.echo(json.dumps({name: asdict(one) | asdict(code) for (name, one), (_, code) in both}))
        return
    data_told = f"{len(store):,} frames of {store.source}, seed {store.seed}"
    for made in (ablation_table(swapped, data_told), codes_table(codes)):
        print_table(made.title, made.columns, made.rows)
        typer.echo(f"{made.note}\n")
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


def _trained(twins: "list[Twin]", work: Path, device: str) -> dict[str, str]:
    """The run directory of each, by its name."""
    from dpa.engine.attack.progress import generation_progress
    from dpa.engine.devices import pick_device
    from dpa.engine.zoo.twins import trained

    runs = {}
    for twin in twins:
        typer.echo(f"{twin.name}: {twin.recipe.train.preset}, {twin.recipe.train.steps:,} steps", err=True)
        with generation_progress("making the training set") as report:
            runs[twin.name] = str(trained(twin, work, pick_device(device), report))
    return runs
