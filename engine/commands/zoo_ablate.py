"""`dpa-engine zoo ablate`: what the swap and the adversary are good for."""

from pathlib import Path
from typing import Annotated

import typer

from dpa.engine.commands.specs import NETWORK


def ablate(
    networks: Annotated[list[str], typer.Argument(help=f"Networks to compare, each {NETWORK}.")],
    data: Annotated[
        Path | None, typer.Option(help="Packed data set. Without it, the default evaluation set.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of people.")] = 256,
    seed: Annotated[int, typer.Option(help="Picks the pairs.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Exchange appearance between people, and measure colours, pose and silhouette.

    Ablated networks come from recipes: `dpa-engine zoo build nsd-no-swap --out runs/ablations`, likewise
    cssl-no-swap and drnet-no-adversary, all with the data and the budget of the network they belong to.
    """
    import json
    from dataclasses import asdict

    from dpa.engine.attack.progress import generation_progress
    from dpa.engine.console import print_table
    from dpa.engine.devices import pick_device
    from dpa.engine.evaluation_set import default_evaluation_set
    from dpa.engine.zoo.ablation import ablation_table, measure_swap, pairs_of_people
    from dpa.models.data.store import PackedStore
    from dpa.models.training.checkpoint import load_network

    loaded = [(name, load_network(name).to(pick_device(device))) for name in networks]
    with generation_progress() as report:
        store = PackedStore.open(data) if data is not None else default_evaluation_set(report)
    chosen = pairs_of_people(store, pairs, seed)
    measures = [(name, measure_swap(network, store, chosen, pick_device(device))) for name, network in loaded]
    if json_:
        typer.echo(json.dumps({name: asdict(one) for name, one in measures}))
        return
    made = ablation_table(measures, f"{len(store):,} frames of {store.source}, seed {store.seed}")
    print_table(made.title, made.columns, made.rows)
    typer.echo(made.note)
