"""`dpa-engine data info`: what is in a packed store."""

import json
from pathlib import Path
from typing import Annotated

import typer


def info(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a packed store.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Print what a data set holds: frames, subjects, actions, cameras, size, fps, seed, bytes."""
    from dpa.models.data.store import PackedStore

    facts = PackedStore.open(folder).info()
    if as_json:
        typer.echo(json.dumps(facts))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=str(folder), title_justify="left", show_header=False)
    for name, value in facts.items():
        table.add_row(name, _readable(name, value))
    Console().print(table)


def _readable(name: str, value: object) -> str:
    if name == "size" and isinstance(value, list):
        height, width = value
        return f"{width} × {height} pixels"
    if name == "bytes" and isinstance(value, int):
        return f"{value:,} ({value / 1e6:,.1f} MB)"
    if isinstance(value, list):
        return f"{len(value)}: {', '.join(str(one) for one in value)}"
    return f"{value:,}" if isinstance(value, int) and name == "frames" else str(value)
