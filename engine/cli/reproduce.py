"""`dpa-engine reproduce` and `report`: the whole paper as one page, or tables of attack runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.cli.inputs import NAMED, open_store

if TYPE_CHECKING:
    from dpa.engine.reproduce.config import ReproduceConfig

Flag = typer.Option


def reproduce(
    out: Annotated[Path, Flag(help="Folder of the page; what it holds already is reused.")] = Path(
        "runs/reproduce"
    ),
    frameworks: Annotated[
        str | None,
        Flag(metavar="nsd,NAME=SPEC", help=f"Names in the zoo, or {NAMED}. [nsd,drnet,cssl,cssl-da]"),
    ] = None,
    data: Annotated[
        Path | None, Flag(help="Packed data set; without one, an evaluation set is made once and kept.")
    ] = None,
    quick: Annotated[bool, Flag("--quick", help="Fewer samples, steps, epochs: rougher.")] = False,
    no_calibration: Annotated[
        bool, Flag("--no-calibration", help="Without silhouette, entangled and oracle-swap.")
    ] = False,
    analyses: Annotated[
        str | None,
        Flag(metavar="all,my_module:function", help="Analyses as `analyze` names them, with your own. [all]"),
    ] = None,
    no_images: Annotated[bool, Flag("--no-images", help="A page without any frame.")] = False,
    seed: Annotated[int | None, Flag(help="Picks frames and pairs. [0]")] = None,
    device: Annotated[str | None, Flag(help="auto, cpu or cuda. [auto]")] = None,
    config: Annotated[Path | None, Flag(help="YAML file of settings; the flags win.")] = None,
    set_: Annotated[list[str] | None, Flag("--set", metavar="A=B", help="One setting.")] = None,
    dry_run: Annotated[bool, Flag("--dry-run", help="Print the settings in force and stop.")] = False,
    as_json: Annotated[bool, Flag("--json", help="Print results.json only.")] = False,
) -> None:
    """Print the whole paper: predictions, attacks, analyses, then the page.

    Each stage is kept with a key of what it was made from: a second run reuses it, a killed run goes on.
    Writes report.html (one file, opens offline), report.md, results.json, figures/ and tables/.
    A network without weights is shown as missing, with the command that builds it. Three more networks of the
    zoo, whose answer is known, are measured for the calibration table: which measure to believe.
    """
    from dpa.engine.reproduce.config import QUICK, ReproduceConfig
    from dpa.models.config import load_config, to_yaml

    flags = {
        "frameworks": tuple(frameworks.split(",")) if frameworks else None,
        "analyses": tuple(analyses.split(",")) if analyses else None,
        "source": data,
        "seed": seed,
        "device": device,
        "references": () if no_calibration else None,
    }
    settings = load_config(ReproduceConfig, config, set_ or (), (dict(QUICK) if quick else {}) | flags)
    if dry_run:
        typer.echo(to_yaml(settings), nl=False)
        return
    _reproduce(settings, out, as_json, images=not no_images)


def _reproduce(settings: "ReproduceConfig", out: Path, as_json: bool, images: bool) -> None:
    from dpa.engine.cli.progress import of_stages, shown
    from dpa.engine.report.page import write_page
    from dpa.engine.reproduce.run import reproduce as carry_out
    from dpa.export.cached_pose import cached_pose_session
    from dpa.models.finite import NonFiniteOutputs

    store = open_store(settings.source)
    with shown() as show:
        done = carry_out(settings, store, out, cached_pose_session, of_stages(show))
        show("the page", 0, None)
        page = write_page(out, images, settings.analyses)
    if as_json:
        typer.echo((out / "results.json").read_text(), nl=False)
    else:
        typer.echo(f"{done.made} stages done, {done.reused} reused\nreport: {page}")
    if done.unsound:
        where = f"numbers that are not finite, or no gradient, in {', '.join(done.unsound)}: stages,"
        raise NonFiniteOutputs(where, len(done.unsound), done.made + done.reused)


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
    analysis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="my_module:function",
            help="Of a reproduction: an analysis of your own in it, whose code may run.",
        ),
    ] = None,
) -> None:
    """Tables 1, 2 and 4 of the paper and the cross-generator table: printed, recomputed and ours.

    A run whose target painted its own pictures (no --generator) counts for Tables 1, 2 and 4; a run with
    another generator for the cross-generator table. Which framework a network is, its checkpoint says.
    A folder of `dpa-engine reproduce` gets its page, report.html, anew.
    """
    if len(runs) == 1 and (runs[0] / "reproduction.json").is_file():
        _whole(runs[0], markdown, json_, not no_images, analysis or [])
        return
    import json
    from dataclasses import asdict

    from dpa.engine.cli.console import show_table
    from dpa.engine.report.attack_runs import read_runs
    from dpa.engine.report.attack_tables import all_tables
    from dpa.engine.report.renderers import to_markdown

    found = read_runs(runs)
    tables = all_tables(found)
    if json_:
        told = [{"run": str(run.path), "command": run.command, **run.results} for run in found]
        typer.echo(json.dumps({"runs": told, "tables": [asdict(table) for table in tables]}))
        return
    for table in tables:
        if markdown:
            typer.echo(f"## {table.title}\n\n{to_markdown(table)}\n{table.note}\n")
        else:
            show_table(table)


def _whole(base: Path, markdown: bool, as_json: bool, images: bool, own: list[str]) -> None:
    from dpa.engine.report.page import TWIN, write_page
    from dpa.engine.runs.directory import RESULTS

    page = write_page(base, images, own)
    if markdown or as_json:
        typer.echo((base / (RESULTS if as_json else TWIN)).read_text(), nl=False)
    else:
        typer.echo(f"report: {page}")
