"""`dpa-engine analyze`: what a network's two codes hold, by the paper's analyses and beyond them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.analysis import names
from dpa.engine.cli.inputs import NETWORK, open_store

if TYPE_CHECKING:
    from dpa.engine.analysis.config import AnalyzeConfig

Flag = typer.Option


def analyze(
    analyses: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help=f"{', '.join(names())}; metrics for dc and iob; or your own, my_module:function. [all]",
        ),
    ] = None,
    network: Annotated[str | None, Flag(help=f"{NETWORK}. [zoo:nsd]")] = None,
    data: Annotated[
        Path | None, Flag(help="Packed data set; without one, an evaluation set is made once and kept.")
    ] = None,
    samples: Annotated[int | None, Flag(min=4, help="Pictures for dc and iob. [400]")] = None,
    pool: Annotated[int | None, Flag(min=8, help="Frames that the others draw from, at most. [2000]")] = None,
    subjects: Annotated[str | None, Flag(metavar="S1,S5", help="Only these subjects. [all]")] = None,
    seed: Annotated[int | None, Flag(help="Picks frames and pairs. [0]")] = None,
    device: Annotated[str | None, Flag(help="auto, cpu or cuda. [auto]")] = None,
    out: Annotated[Path | None, Flag(help="Run directory. [runs/analyze-TIME]")] = None,
    config: Annotated[Path | None, Flag(help="YAML file of settings; the flags win.")] = None,
    set_: Annotated[list[str] | None, Flag("--set", metavar="A=B", help="One setting.")] = None,
    dry_run: Annotated[bool, Flag("--dry-run", help="Print the settings in force and stop.")] = False,
    as_json: Annotated[bool, Flag("--json", help="Print JSON only.")] = False,
    list_: Annotated[bool, Flag("--list", help="Print which analyses there are and stop.")] = False,
) -> None:
    """Ask what the appearance code and the pose code of a network really hold.

    swap, zero (Fig. 2, 3): pictures with another's appearance code, or none. tsne (Fig. 4): what neighbours
    in a code tell. channels, sweep (Fig. 5, 6): which channels of the pose code hold appearance. dc, iob
    (Table 3): distance correlation, information over bias; iob trains decoders for minutes. counterfactual:
    the same moment rendered in other clothes. Prints tables and writes figures into a run directory.
    """
    if list_:
        _list(as_json)
        return
    from dpa.engine.analysis.config import AnalyzeConfig
    from dpa.models.config import load_config, to_yaml

    flags = {
        "analyses": tuple(analyses) if analyses else None,
        "network": network,
        "source": data,
        "samples": samples,
        "pool": pool,
        "subjects": tuple(subjects.split(",")) if subjects else None,
        "seed": seed,
        "device": device,
    }
    settings = load_config(AnalyzeConfig, config, set_ or (), flags)
    if dry_run:
        typer.echo(to_yaml(settings), nl=False)
        return
    _analyze(settings, out, as_json)


def _list(as_json: bool) -> None:
    import json

    from dpa.engine.analysis.registry import analysis_of

    titles = {name: analysis_of(name).title for name in names()}
    if as_json:
        typer.echo(json.dumps(titles))
        return
    for name, title in titles.items():
        typer.echo(f"{name:<16}{title}")


def _analyze(settings: "AnalyzeConfig", out: Path | None, as_json: bool) -> None:
    import json

    from dpa.engine.analysis.study import study_of
    from dpa.engine.attack.summary import SYNTHETIC
    from dpa.engine.cli.console import show_table
    from dpa.engine.cli.progress import shown
    from dpa.engine.report.analysis_files import run_analyses
    from dpa.engine.runs.directory import RunDirectory
    from dpa.models.training.checkpoint import load_network

    study = study_of(load_network(settings.network), open_store(settings.source), settings)
    plain = settings.model_dump(mode="json")
    with RunDirectory.create(out, "analyze", plain) as run, shown() as show:
        results, tables = run_analyses(run, study, show)
    if as_json:
        typer.echo(json.dumps(results))
        return
    for table in tables:
        show_table(table)
    if study.store.source == "synthetic":
        typer.echo(SYNTHETIC)
    typer.echo(f"figures and tables: {run.path}")
