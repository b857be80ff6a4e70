"""`dpa-engine zoo`: the bundled networks, built again from nothing."""

from pathlib import Path
from typing import Annotated

import typer


def build(
    name: Annotated[str, typer.Argument(help="A recipe in models/zoo/recipes, e.g. nsd.")],
    out: Annotated[Path, typer.Option(help="Where the network's folder goes.")] = Path("models/zoo"),
    work: Annotated[Path, typer.Option(help="Data, checkpoints and logs of the build.")] = Path("runs/zoo"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Generate the data, train, fit the regressor, measure, and write the model card.

    Takes hours on a CPU. What is done stays done: a killed build goes on when it is called again.
    """
    from dpa.engine.attack.progress import generation_progress
    from dpa.engine.devices import pick_device
    from dpa.engine.zoo.build import Workshop
    from dpa.engine.zoo.build import build as build_network
    from dpa.models.zoo.recipe import read_recipe

    workshop = Workshop(name, read_recipe(name), work, pick_device(device))
    with generation_progress("making the training set") as report:
        folder = build_network(workshop, out, report)
    typer.echo(str(folder))


def card(
    name: Annotated[str, typer.Argument(help="A network of the zoo, e.g. nsd.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Measure a bundled network again, write its model card anew and print it."""
    from tempfile import TemporaryDirectory

    from dpa.engine.devices import pick_device
    from dpa.engine.zoo.build import describe
    from dpa.models.training.checkpoint import network_folder

    folder = network_folder(f"zoo:{name}")
    with TemporaryDirectory() as scratch:
        describe(name, folder, Path(scratch) / "attack", pick_device(device))
    typer.echo((folder / "README.md").read_text())
