"""`dpa-engine reproduce`: every figure and table of the paper, for every network there is, as one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.engine.commands.specs import NAMED

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
    from dpa.engine.attack.progress import generation_progress
    from dpa.engine.evaluation_set import default_evaluation_set
    from dpa.engine.report.whole import write_whole_report
    from dpa.engine.reproduce.progress import stage_progress
    from dpa.engine.reproduce.run import reproduce as carry_out
    from dpa.export.cached_pose import cached_pose_session
    from dpa.models.data.store import PackedStore

    if settings.source is not None:
        store = PackedStore.open(settings.source)
    else:
        with generation_progress() as made:
            store = default_evaluation_set(made)
    with stage_progress() as progress:
        done = carry_out(settings, store, out, cached_pose_session, progress)
    page = write_whole_report(out, images=images)
    if as_json:
        typer.echo((out / "results.json").read_text(), nl=False)
        return
    typer.echo(f"{done.made} stages done, {done.reused} reused\nreport: {page}")
