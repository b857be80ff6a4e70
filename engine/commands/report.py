"""`dpa-engine report`: the paper's tables of the attack, ours beside them, from attack runs; or the page of
a whole reproduction, made again."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run directories of `dpa-engine attack`, or one of `dpa-engine reproduce`."),
    ],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print results and tables as JSON.")] = False,
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Of a reproduction: a page without any frame.")
    ] = False,
) -> None:
    """Tables 1, 2 and 4 of the paper and the cross-generator table: printed, recomputed and ours.

    A run whose target painted its own pictures (no --generator) counts for Tables 1, 2 and 4; a run with
    another generator for the cross-generator table. Which framework a network is, its checkpoint says.
    A folder of `dpa-engine reproduce` gets its page, report.html, anew.
    """
    if len(runs) == 1 and (runs[0] / "reproduction.json").is_file():
        _whole(runs[0], markdown, json_, images=not no_images)
        return
    import json
    from dataclasses import asdict

    from dpa.engine.console import print_table
    from dpa.engine.report.attack_runs import read_runs
    from dpa.engine.report.markdown import markdown_table
    from dpa.engine.report.tables import all_tables

    found = read_runs(runs)
    tables = all_tables(found)
    if json_:
        told = [{"run": str(run.path), "command": run.command, **run.results} for run in found]
        typer.echo(json.dumps({"runs": told, "tables": [asdict(table) for table in tables]}))
        return
    for table in tables:
        if markdown:
            typer.echo(f"## {table.title}\n\n{markdown_table(table.columns, table.rows)}\n{table.note}\n")
        else:
            print_table(table.title, table.columns, table.rows)
            typer.echo(f"{table.note}\n")


def _whole(base: Path, markdown: bool, as_json: bool, images: bool) -> None:
    from dpa.engine.report.whole import TWIN, write_whole_report
    from dpa.engine.runs.directory import RESULTS

    page = write_whole_report(base, images)
    if markdown or as_json:
        typer.echo((base / (RESULTS if as_json else TWIN)).read_text(), nl=False)
    else:
        typer.echo(f"report: {page}")
