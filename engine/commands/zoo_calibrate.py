"""`dpa-engine zoo calibrate`: what every measure reads on networks whose answer is known."""

from pathlib import Path
from typing import Annotated

import typer

from dpa.engine.calibration.measures import USUAL_STAGES
from dpa.engine.commands.specs import NAMED

Flag = typer.Option


def calibrate(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|NAME=SPEC]...",
            help=f"Beside (or in place of) silhouette, entangled, oracle-swap: names in the zoo, or {NAMED}.",
        ),
    ] = None,
    out: Annotated[Path, Flag(help="Folder; what it holds already is reused.")] = Path("runs/calibration"),
    data: Annotated[
        Path | None, Flag(help="Packed data set; without one, an evaluation set is made once and kept.")
    ] = None,
    stages: Annotated[
        str,
        Flag(help="Of attack, swap, zero, tsne, channels, dc, iob, counterfactual. iob takes long."),
    ] = ",".join(USUAL_STAGES),
    quick: Annotated[bool, Flag("--quick", help="Fewer samples and steps: rougher.")] = False,
    seed: Annotated[int | None, Flag(help="Picks frames and pairs. [0]")] = None,
    device: Annotated[str | None, Flag(help="auto, cpu or cuda. [auto]")] = None,
    set_: Annotated[list[str] | None, Flag("--set", metavar="A=B", help="As for `reproduce`.")] = None,
    markdown: Annotated[
        bool, Flag("--markdown", help="Print the table and its cells' commands as Markdown, for a README.")
    ] = False,
    as_json: Annotated[bool, Flag("--json", help="Print JSON only.")] = False,
) -> None:
    """Print the calibration table from whichever reference networks there are.

    The ends of every scale: `silhouette`, whose pose appearance cannot reach, and `entangled`, a plain
    autoencoder. A measure that cannot tell them apart is said to be uninformative. Writes calibration.json.
    """
    import json

    from dpa.engine.attack.progress import generation_progress
    from dpa.engine.calibration.markdown import calibration_markdown
    from dpa.engine.calibration.measures import REFERENCES
    from dpa.engine.calibration.run import stages_of, take_readings
    from dpa.engine.calibration.scale import calibrate as verdicts
    from dpa.engine.console import print_table
    from dpa.engine.evaluation_set import default_evaluation_set
    from dpa.engine.reproduce.config import QUICK, ReproduceConfig
    from dpa.engine.reproduce.members import find_members
    from dpa.engine.reproduce.progress import stage_progress
    from dpa.export.cached_pose import cached_pose_session
    from dpa.models.atomic import write_json
    from dpa.models.config import load_config
    from dpa.models.data.store import PackedStore

    named = {text.partition("=")[0]: text for text in (*REFERENCES, *(networks or ()))}
    flags = {"frameworks": tuple(named.values()), "source": data, "seed": seed, "device": device}
    settings = load_config(ReproduceConfig, None, set_ or (), (dict(QUICK) if quick else {}) | flags)
    members, missing = find_members(settings.frameworks)
    for one in missing:
        typer.echo(f"no {one.name} here; it comes from: {one.command}", err=True)
    if settings.source is not None:
        store = PackedStore.open(settings.source)
    else:
        with generation_progress() as made:
            store = default_evaluation_set(made)
    wanted = stages_of(stages.split(","))
    with stage_progress() as progress:
        readings = take_readings(settings, members, wanted, store, out, cached_pose_session, progress)
    found = verdicts(readings)
    write_json(out / "calibration.json", found.as_json())
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    if markdown:
        typer.echo(calibration_markdown(found), nl=False)
        return
    for table in (found.table(), found.command_table()):
        print_table(table.title, table.columns, table.rows)
        if table.note:
            typer.echo(table.note)
