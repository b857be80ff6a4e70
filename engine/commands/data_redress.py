"""`dpa-engine data redress`: true re-dressed pairs."""

from pathlib import Path
from typing import Annotated

import typer


def redress(
    out: Annotated[Path, typer.Option(help="New folder for the data set.")],
    outfits: Annotated[str, typer.Option(metavar="S1,S5", help="Whose clothes everybody wears in turn.")] = (
        "S1,S5,S6,S7,S8"
    ),
    config: Annotated[Path | None, typer.Option(help="YAML file of `data synth`'s settings.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A=B", help="One of them, e.g. clips=2.")
    ] = None,
) -> None:
    """Render synthetic people, every moment in each outfit: what `train --framework oracle-swap` needs."""
    from dpa.engine.attack.progress import generation_progress
    from dpa.models.config import load_config
    from dpa.models.data.synthetic.config import SynthConfig
    from dpa.models.data.synthetic.redressed import generate_redressed

    settings = load_config(SynthConfig, config, set_ or (), {})
    with generation_progress("rendering every outfit") as report:
        store = generate_redressed(settings, outfits.split(","), out, report)
    typer.echo(f"{len(store):,} frames in {store.path}")
