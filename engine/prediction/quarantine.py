"""The list of what could not be read: beside the output, and on stderr."""

import json
from pathlib import Path

from rich.console import Console

from dpa.engine.prediction.sources import Unreadable
from dpa.models.artefacts import json_lines_of, require_our_file
from dpa.models.atomic import write_text

NAMED = 20
"""So many are named on stderr; the file names them all."""


def list_of(out: Path) -> Path:
    """Where the list of what could not be read lies: beside the output. Raises NotOurs where another file has
    that name."""
    path = out.with_name(out.name + ".unreadable.jsonl")
    require_our_file(path, "an earlier call's list", lambda one: json_lines_of(one, ("source", "reason")))
    return path


def keep_list(out: Path, unreadable: list[Unreadable]) -> Path | None:
    """Write OUT.unreadable.jsonl (source, index, reason) and return its path; remove an old one and
    return None when everything could be read."""
    path = list_of(out)
    if not unreadable:
        path.unlink(missing_ok=True)
        return None
    write_text(path, "".join(json.dumps(vars(bad), ensure_ascii=False) + "\n" for bad in unreadable))
    return path


def tell(unreadable: list[Unreadable]) -> None:
    """One line on stderr for each of the first NAMED, and how many more there are."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    for bad in unreadable[:NAMED]:
        console.print(f"unreadable: {bad.source}: {bad.reason}")
    if len(unreadable) > NAMED:
        console.print(f"and {len(unreadable) - NAMED} more")
