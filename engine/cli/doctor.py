"""`dpa-engine doctor`: what this installation can really do."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dpa.engine.doctor import Examination

MARKS = {"works": "[green]works[/]", "fails": "[yellow]fails[/]", "absent": "[dim]absent[/]"}

RIVALS = {"cpu": "onnxruntime-gpu", "gpu": "onnxruntime"}
"""What must go before the extra is installed: both packages own the folder onnxruntime/."""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False) -> None:
    """Print versions, devices, which back-ends really work here, and what each extra still lacks.

    Every back-end is tried with a one-node network. Exit code 1 if packages are in conflict.
    """
    from dpa.engine.doctor import examine

    found = examine()
    if as_json:
        typer.echo(json.dumps(found.to_json()))
    else:
        _show(found)
    if found.conflicts:
        raise typer.Exit(1)


def _show(found: "Examination") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for title, facts in (("Versions", found.versions), ("Devices", found.devices)):
        table = Table(title=title, title_justify="left", show_header=False)
        for name, value in facts.items():
            table.add_row(name, escape(value))
        console.print(table)
    table = Table(title="Back-ends", title_justify="left", show_header=False)
    for finding in found.backends:
        table.add_row(escape(finding.name), MARKS[finding.state], escape(finding.detail))
    console.print(table)
    for extra, packages in found.missing.items():
        wanted = f'pip install ".[{extra}]"'
        if RIVALS.get(extra) in found.versions:
            wanted = f"pip uninstall {RIVALS[extra]}, then {wanted}"
        console.print(f"extra {extra} lacks {', '.join(packages)}: {escape(wanted)}", highlight=False)
    for conflict in found.conflicts:
        console.print(f"[bold red]conflict:[/] {escape(conflict)}", highlight=False)
