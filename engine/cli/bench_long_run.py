"""`dpa-engine bench long-run`: an attack that is killed and resumed beside one that is left alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dpa.bench.config import LongRunBench
from dpa.engine.cli.options import JsonOnly, offers
from dpa.models.config import load_config


@offers(LongRunBench)
def long_run(
    flags: Mapping[str, object],
    folder: Annotated[Path, typer.Argument(help="Where the data and both runs are written; kept.")],
    as_json: JsonOnly = False,
) -> None:
    """Prove that long runs survive: one attack is left alone, the same one is killed several times at even
    distances and resumed each time; then every figure of every sample is compared.

    Prints also how much memory the first one held when a tenth of the samples was done and at most in all.
    Exit code 1 where a figure differs, or where the run ended before it could be killed that often.
    """
    import json

    from dpa.bench.long_run import bench_long_run
    from dpa.engine.cli.progress import shown

    settings = load_config(LongRunBench, flags=flags)
    with shown("attacking") as show:
        document = bench_long_run(folder, settings, lambda words: show(words, 0, None))
    if as_json:
        typer.echo(json.dumps(document))
    else:
        _tell(document)
    if not document["equal"] or len(document["killed_at"]) < settings.kills:
        raise typer.Exit(1)


def _tell(document: dict[str, Any]) -> None:
    for key, value in document.items():
        if isinstance(value, list):
            text = ", ".join(f"{one:,.0f}" if isinstance(one, float) else str(one) for one in value)
        else:
            text = f"{value:,.3g}" if isinstance(value, float) and value < 1 else str(value)
        typer.echo(f"{key.replace('_', ' ')}: {text or '–'}")
