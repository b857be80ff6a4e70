"""What is there: `zoo list`, `zoo show`, `runs list`, `cache show` and `cache clear`."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from dpa.engine.cli.options import JsonOnly

KEPT: Mapping[str, str] = {
    "evaluation-": "evaluation set: frames that no training sees",
    "natural-": "people dressed anew, who show what appearances are natural",
    "counterfactual-": "people in another's clothes, for the analysis counterfactual",
    "pose-engines": "exported pose graphs",
    "step-graphs": "exported gradients of the attack's step",
    "plans": "TensorRT plans that this machine built, and their record",
}
"""What the cache holds, by how its entries begin. All of it is made again when it is needed."""


def list_networks(as_json: JsonOnly = False) -> None:
    """Print which networks can be named as zoo:NAME, and which can be built."""
    from dpa.models.training.checkpoint import WEIGHTS, network_folder, read_config, zoo_names
    from dpa.models.zoo.recipe import recipe_names

    found = []
    for spec in zoo_names():
        folder = network_folder(spec)
        config, weights = read_config(folder), folder / WEIGHTS
        size = round(weights.stat().st_size / 1e6, 1)
        facts = {"framework": config.framework, "preset": config.network.preset, "mb": size}
        found.append({"name": spec, **facts})
    unbuilt = [name for name in recipe_names() if f"zoo:{name}" not in zoo_names()]
    if as_json:
        typer.echo(json.dumps({"networks": found, "recipes": unbuilt}))
        return
    rows = [[str(one["name"]), str(one["framework"]), str(one["preset"]), f"{one['mb']} MB"] for one in found]
    _print("", ["network", "framework", "preset", "weights"], rows)
    typer.echo(f"without weights here, `dpa-engine zoo build NAME` makes one: {', '.join(unbuilt)}")


def show_network(
    name: Annotated[str, typer.Argument(help="A network of the zoo, e.g. nsd.")], as_json: JsonOnly = False
) -> None:
    """Print a bundled network's model card: what trained it, what it measures, what to use it for."""
    from dpa.models.training.checkpoint import network_folder, read_config

    folder = network_folder(f"zoo:{name.removeprefix('zoo:')}")
    if as_json:
        typer.echo(json.dumps(read_config(folder).model_dump(mode="json")))
    else:
        typer.echo((folder / "README.md").read_text(), nl=False)


def list_runs(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER]...", help="Where to look. [runs]")
    ] = None,
    as_json: JsonOnly = False,
) -> None:
    """Print the run directories below a folder: what each was told, and whether it ended."""
    from dpa.engine.runs.directory import COMMAND, RunDirectory
    from dpa.engine.runs.errors import NotARun

    found = []
    for command in sorted(file for folder in folders or [Path("runs")] for file in folder.rglob(COMMAND)):
        try:
            run = RunDirectory.open(command.parent, incomplete=True)
        except NotARun:
            continue
        told = command.read_text().strip()
        found.append({"run": str(run.path), "complete": run.is_complete, "command": told})
    if as_json:
        typer.echo(json.dumps(found))
        return
    state = {True: "", False: "incomplete"}
    rows = [[str(one["run"]), state[bool(one["complete"])], str(one["command"])] for one in found]
    _print("", ["run", "", "command"], rows)


def show_cache(as_json: JsonOnly = False) -> None:
    """Print what is kept between runs, and how large it is. $DPA_CACHE says where."""
    from dpa.engine.cache import cache_folder

    found = [
        {"entry": path.name, "what": what, "bytes": _bytes(path)}
        for path in _entries(cache_folder())
        if (what := _kind(path)) is not None
    ]
    if as_json:
        typer.echo(json.dumps({"folder": str(cache_folder()), "entries": found}))
        return
    rows = [[str(one["entry"]), f"{int(str(one['bytes'])) / 1e6:,.1f} MB", str(one["what"])] for one in found]
    _print(str(cache_folder()), ["entry", "size", "what it is"], rows)


def clear_cache(
    entries: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTRY]...", help="As `cache show` names them. [all]")
    ] = None,
    as_json: JsonOnly = False,
) -> None:
    """Remove what is kept between runs; it is made again when it is needed. Other files are left alone."""
    from dpa.engine.cache import cache_folder
    from dpa.models.errors import InputError

    there = {path.name: path for path in _entries(cache_folder()) if _kind(path) is not None}
    unknown = [name for name in entries or () if name not in there]
    if unknown:
        raise InputError(
            f"no entry {', '.join(unknown)} in {cache_folder()}",
            f"some of {', '.join(there) or 'none: the cache is empty'}",
            "see `dpa-engine cache show`",
        )
    chosen = [there[name] for name in entries or there]
    freed = sum(map(_bytes, chosen))
    for path in chosen:
        shutil.rmtree(path)
    if as_json:
        typer.echo(json.dumps({"removed": [path.name for path in chosen], "bytes": freed}))
    else:
        typer.echo(f"{len(chosen)} entries removed, {freed / 1e6:,.1f} MB")


def _entries(folder: Path) -> list[Path]:
    """The real folders of the cache, by name."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _kind(path: Path) -> str | None:
    """What an entry is; None for what this program did not put there."""
    return next((what for begins, what in KEPT.items() if path.name.startswith(begins)), None)


def _bytes(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())


def _print(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be: unlike a boxed table, lines can be copied and searched."""
    if title:
        typer.echo(title)
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
