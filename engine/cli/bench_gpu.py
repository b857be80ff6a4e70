"""`dpa-engine bench gpu`: is everything right on this GPU, and how fast is it?"""

from pathlib import Path
from typing import Annotated

import typer

Flag = typer.Option


def bench_gpu(
    out: Annotated[Path, Flag(help="JSON file; written anew after every section.")] = Path("gpu.json"),
    budget: Annotated[float, Flag(min=1, help="Seconds for all sections together.")] = 540.0,
    rehearse: Annotated[bool, Flag("--rehearse", help="The same, tiny, on a stand-in for a GPU.")] = False,
    section: Annotated[list[str] | None, Flag(help="Only these, by name.  [default: all]")] = None,
) -> None:
    """Examine a GPU: facts, correctness, speed; one process a section, within a budget.

    Exit code 1 where anything is wrong, 2 where there is no GPU. What could not be executed, and what the
    budget cut off, is named.
    """
    from dpa.bench.gpu.plan import run_sections

    document = run_sections(
        out, budget, rehearse, tuple(section or ()), lambda line: typer.echo(line, err=True)
    )
    for title, key in (("wrong", "failed"), ("not executed", "not_executed"), ("skipped", "skipped")):
        for line in document[key]:
            typer.echo(f"{title}: {line}")
    typer.echo(f"{document['device']}: {document['seconds']:.0f} s, in {out}")
    if document["failed"]:
        raise typer.Exit(1)
