"""`dpa-engine data`: data sets that are made, dressed anew, and looked into. Imports: `data_import`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dpa.models.data.synthetic.config import SynthConfig


def synth(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the packed store.")],
    subjects: Annotated[
        list[str] | None,
        typer.Option("--subjects", help="Subjects, separated by commas or repeated. [default: all seven]"),
    ] = None,
    actions: Annotated[
        list[str] | None,
        typer.Option("--actions", help="Actions, separated by commas or repeated. [default: all fifteen]"),
    ] = None,
    clips: Annotated[int, typer.Option("--clips", min=1, help="Clips per subject and action.")] = 4,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Frames per clip and camera.")] = 12,
    fps: Annotated[float, typer.Option("--fps", help="Frames per second of the clips.")] = 10.0,
    size: Annotated[int, typer.Option("--size", help="Side of the square frames in pixels.")] = 160,
    crop_size: Annotated[
        int | None,
        typer.Option("--crop-size", help="Store person crops of this side instead of full frames."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Other seeds give other motions.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; the result is the same. [default: all cores]"),
    ] = None,
    outfit: Annotated[
        str | None,
        typer.Option("--outfit", help="Dress everybody in this subject's clothes. [default: their own]"),
    ] = None,
    fresh_outfits: Annotated[
        bool,
        typer.Option("--fresh-outfits", help="Every frame of a clip in other clothes, skin, hair and light."),
    ] = False,
    zoom: Annotated[
        float, typer.Option("--zoom", help="How many times as tall people stand in the frame: 1 to 2.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Generate synthetic people: procedural motion, four calibrated cameras, known poses."""
    from dpa.engine.cli.progress import counted
    from dpa.models.data.synthetic.generate import generate

    given = {
        "subjects": _names(subjects),
        "actions": _names(actions),
        "clips": clips,
        "frames": frames,
        "fps": fps,
        "size": size,
        "crop_size": crop_size,
        "seed": seed,
        "workers": workers,
        "outfit": outfit,
        "fresh_outfits": fresh_outfits,
        "zoom": zoom,
    }
    config = _config({name: value for name, value in given.items() if value is not None})
    with counted("making images") as report:
        store = generate(config, out, report)
    facts = store.info()
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        count, stored = len(store.frames), facts["bytes"]
        typer.echo(f"{out}: {count:,} frames of {len(store.cameras)} cameras, {stored:,} bytes")


def _names(given: list[str] | None) -> tuple[str, ...] | None:
    """Names given as S1,S5 or by repeating the option."""
    if not given:
        return None
    return tuple(name.strip() for part in given for name in part.split(",") if name.strip())


def _config(values: dict[str, object]) -> "SynthConfig":
    from pydantic import ValidationError

    from dpa.models.data.synthetic.config import SynthConfig
    from dpa.models.errors import InputError

    try:
        return SynthConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "options"
        raise InputError(
            found=f"--{name.replace('_', '-')} {first['input']}",
            expected=first["msg"],
            remedy="see `dpa-engine data synth --help`",
        ) from error


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


def look(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a packed store.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Where the page goes.", show_default="DIR.look"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Make a page of a data set's clips with boxes, silhouettes, skeletons and figures, the worst first.

    It opens offline; PNG sheets lie beside it. Bad clips are named on stderr.
    """
    from dpa.models.data.look import look as make_look
    from dpa.models.data.store import PackedStore

    made = make_look(PackedStore.open(folder), out or folder.with_name(f"{folder.name}.look"))
    bad = [clip for clip in made.clips if clip.faults]
    for clip in bad:
        typer.echo(f"bad: {clip.name}: {'; '.join(clip.faults)}", err=True)
    if as_json:
        listed = [
            {"name": one.name, "faults": list(one.faults), "figures": one.figures.to_json()}
            for one in made.clips
        ]
        sheets = [str(sheet) for sheet in made.sheets]
        typer.echo(json.dumps({"page": str(made.page), "sheets": sheets, "clips": listed}))
    else:
        typer.echo(f"{made.page}: {len(bad):,} of {len(made.clips):,} clips are bad")


def _readable(name: str, value: object) -> str:
    if name == "size" and isinstance(value, list):
        height, width = value
        return f"{width} × {height} pixels"
    if name == "bytes" and isinstance(value, int):
        return f"{value:,} ({value / 1e6:,.1f} MB)"
    if isinstance(value, list):
        return f"{len(value)}: {', '.join(str(one) for one in value)}"
    return f"{value:,}" if isinstance(value, int) and name == "frames" else str(value)


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
    from dpa.engine.cli.progress import counted
    from dpa.models.config import load_config
    from dpa.models.data.synthetic.config import SynthConfig
    from dpa.models.data.synthetic.generate import generate_redressed

    settings = load_config(SynthConfig, config, set_ or (), {})
    with counted("rendering every outfit") as report:
        store = generate_redressed(settings, outfits.split(","), out, report)
    typer.echo(f"{len(store):,} frames in {store.path}")
