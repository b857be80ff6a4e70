"""The sections of `bench gpu` in their order, the budget that they share, and the file that they fill."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from dpa.bench.stand_in import NAME
from dpa.engine.runs.environment import versions
from dpa.models.atomic import write_json
from dpa.models.errors import InputError

Kind = Literal["facts", "correctness", "speed"]


@dataclass(frozen=True)
class Section:
    """work: module:function in dpa.bench.gpu. least_s: with less of the budget left it is not begun."""

    name: str
    kind: Kind
    work: str
    least_s: float


SECTIONS = (
    Section("facts", "facts", "facts:facts", 5),
    Section("kernels", "correctness", "kernels:compare", 5),
    Section("steps", "correctness", "steps:compare", 10),
    Section("memory", "correctness", "steps:memory", 5),
    Section("sessions", "correctness", "sessions:compare", 5),
    Section("kernels' speed", "speed", "kernels:measure", 5),
    Section("steps' speed", "speed", "steps:measure", 10),
    Section("attack", "speed", "attack:measure", 15),
    Section("waits", "speed", "attack:waits", 10),
    Section("training", "speed", "training:measure", 10),
    Section("sessions' speed", "speed", "sessions:measure", 5),
)
"""Cheap and telling ones first: a budget that is short keeps the correctness."""

WITHOUT_DATA = ("facts", "kernels", "kernels' speed")
START = "import sys; from dpa.bench.gpu.section import main; main(sys.argv[1:])"


class NoGpu(InputError):
    """There is nothing to examine."""

    def __init__(self) -> None:
        super().__init__(
            "no GPU that PyTorch sees",
            "an NVIDIA GPU with its driver, and PyTorch's CUDA build (extra 'gpu')",
            "see `dpa-engine doctor`; `--rehearse` runs the same script on the stand-in, on the CPU",
        )


def run_sections(
    out: Path,
    budget_s: float,
    rehearse: bool,
    only: tuple[str, ...] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Runs the sections, all or those named, one process each, and writes `out` after every one.

    budget_s: of all together; a section that is still running then is ended, and what could not begin is
    named as skipped. tell: gets a line a section. Returns the document. Raises NoGpu, InputError for a
    section that there is not.
    """
    if not rehearse and not torch.cuda.is_available():
        raise NoGpu
    unknown = set(only) - {section.name for section in SECTIONS}
    if unknown:
        known = ", ".join(section.name for section in SECTIONS)
        raise InputError(f"a section {min(unknown)!r}", known, "name one of these")
    device = NAME if rehearse else "cuda:0"
    document: dict[str, Any] = {
        "device": "the stand-in, a rehearsal" if rehearse else torch.cuda.get_device_name(0),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "command": f"dpa-engine bench gpu --budget {budget_s:g}" + (" --rehearse" if rehearse else ""),
        "sections": [],
    }
    begin = time.perf_counter()
    with TemporaryDirectory() as folder, _data_coming(rehearse, Path(folder)) as data:
        for section in SECTIONS:
            if only and section.name not in only:
                continue
            if section.name not in WITHOUT_DATA:
                data.wait()
            left = budget_s - (time.perf_counter() - begin)
            made = _run(section, device, rehearse, Path(folder), left)
            document["sections"].append(made)
            document["seconds"] = round(time.perf_counter() - begin, 1)
            document |= _verdict(document["sections"])
            out.parent.mkdir(parents=True, exist_ok=True)
            write_json(out, document)
            tell(_line(made))
    return document


def _run(section: Section, device: str, rehearse: bool, folder: Path, left_s: float) -> dict[str, Any]:
    told: dict[str, Any] = {"name": section.name, "kind": section.kind}
    if left_s < section.least_s:
        return {**told, "state": "skipped", "why": "the budget is spent", "entries": []}
    kept = folder / f"{SECTIONS.index(section)}.json"
    words = [
        f"dpa.bench.gpu.{section.work}",
        device,
        "rehearsal" if rehearse else "full",
        str(folder),
        str(kept),
    ]
    command = [sys.executable, "-c", START, *words]
    begin = time.perf_counter()
    state: dict[str, Any] = {"state": "done"}
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=left_s, check=False
        )
        if ended.returncode != 0:
            state = {
                "state": "crashed",
                "why": f"exit code {ended.returncode}",
                "stderr": ended.stderr[-6000:],
            }
    except subprocess.TimeoutExpired:
        state = {"state": "over the budget", "why": f"ended after {left_s:.0f} s"}
    entries = json.loads(kept.read_text()) if kept.is_file() else []
    return {**told, **state, "seconds": round(time.perf_counter() - begin, 1), "entries": entries}


@contextmanager
def _data_coming(rehearse: bool, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The frames that the sections share, rendered on the CPU while the first sections run."""
    words = ["dpa.bench.gpu.scene:render", "cpu", "rehearsal" if rehearse else "full", str(folder)]
    with subprocess.Popen([sys.executable, "-c", START, *words, str(folder / "data.json")]) as child:
        try:
            yield child
        finally:
            child.kill()


def _verdict(sections: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What went wrong, what was not executed and what the budget cut off, by name."""
    failed, not_executed = [], []
    for section in sections:
        if section["state"] == "crashed":
            failed.append(section["name"])
        for entry in section["entries"]:
            name = f"{section['name']}: {entry['name']}"
            if entry["state"] in ("wrong", "crashed"):
                failed.append(f"{name}: {entry['why']}")
            if entry["state"] == "not executed":
                not_executed.append(f"{name}: needs {entry['needs']}")
    skipped = [s["name"] for s in sections if s["state"] in ("skipped", "over the budget")]
    return {"failed": failed, "not_executed": not_executed, "skipped": skipped}


def _line(section: dict[str, Any]) -> str:
    counts: dict[str, int] = {}
    for entry in section["entries"]:
        counts[entry["state"]] = counts.get(entry["state"], 0) + 1
    words = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{section['name']}: {section['state']}, {section.get('seconds', 0)} s ({words})"
