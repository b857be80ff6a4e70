"""What a reproduction found, read from its folder: every network's figures, arrays and attacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.engine.analysis import names
from dpa.engine.analysis.measures import ATTACK, ATTACK_MEASURES, Measure
from dpa.engine.analysis.registry import Analysis, analysis_of
from dpa.engine.attack.writer import read_samples
from dpa.engine.report.attack_runs import AttackRun, Role, read_run
from dpa.engine.report.paper import FRAMEWORKS
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.engine.runs.errors import NotARun
from dpa.models.documents import read_json

NOTE = "reproduction.json"
"""What `dpa-engine reproduce` says of itself in its folder."""

Arrays = Mapping[str, NDArray[Any]]

SNAPSHOTS = "snapshots"
"""The stage of the attack that can be watched."""


@dataclass(frozen=True)
class Measured:
    """A network that was attacked and analysed. summary: the figures of its analyses. commands: by stage; of
    its own attack under ATTACK too."""

    name: str
    title: str
    spec: str
    role: Role
    summary: Mapping[str, float | None]
    attack: AttackRun
    commands: Mapping[str, str]

    def results_of(self, stage: str) -> Mapping[str, Any]:
        """Where the measures of a stage are found."""
        return self.attack.results if stage == ATTACK else self.summary


@dataclass(frozen=True)
class NetworkFindings(Measured):
    """One that the page is about. arrays: by stage, what figures show: of each analysis, of its own attack
    the columns of its samples (ATTACK), and of the attack that can be watched (SNAPSHOTS)."""

    predictions: Mapping[str, Any]
    arrays: Mapping[str, Arrays]


@dataclass(frozen=True)
class Findings:
    """networks: in the order they were named. references: those whose answer is known, for the calibration.
    missing: name, title and command each. attacks: every cell of the matrix, networks by their titles. note:
    what reproduction.json holds. analyses: the records of those that were carried out and may be loaded."""

    networks: Sequence[NetworkFindings]
    references: Sequence[Measured]
    missing: Sequence[Mapping[str, str]]
    attacks: Sequence[AttackRun]
    note: Mapping[str, Any]
    analyses: tuple[Analysis, ...]

    @property
    def left_out(self) -> list[str]:
        """Users' own analyses that were carried out, but whose code was not named by whoever reads."""
        there = {one.named for one in self.analyses}
        return [name for name in _carried_out(self.note) if name not in there]

    @property
    def measures(self) -> dict[str, tuple[Measure, ...]]:
        """By the stage that takes them, ATTACK or an analysis."""
        return {ATTACK: ATTACK_MEASURES, **{one.name: one.measures for one in self.analyses}}

    @property
    def source(self) -> str:
        """Where the frames come from, as the store says it."""
        return str(self.note["data"]["source"])

    def playing(self, title: str) -> NetworkFindings | None:
        """The first network that is, by its checkpoint, what the paper calls `title`."""
        return next((one for one in self.networks if paper_title(one.role) == title), None)


def paper_title(role: Role) -> str | None:
    """ "NSD", "CSSL (DA)" and so on; None for a network that the paper has not."""
    if role.framework not in FRAMEWORKS or role.ablated or (role.augmented and role.framework != "CSSL"):
        return None
    return f"{role.framework} (DA)" if role.augmented else role.framework


def _carried_out(note: Mapping[str, Any]) -> Sequence[str]:
    """Analyses as they were named; all of the project's in the note of an earlier version."""
    named: Sequence[str] = note["config"].get("analyses", names())
    return named


def read_findings(base: Path, own: Sequence[str] = ()) -> Findings:
    """own: users' own analyses, `my_module:function`, that may be loaded: a folder's files alone make no code
    run. Raises NotARun for a folder that is no reproduction, IncompleteRun for one that was stopped."""
    try:
        note: dict[str, Any] = read_json(base / NOTE)
    except (OSError, ValueError) as error:
        raise NotARun(base, f"{NOTE} cannot be read ({error})") from error
    members = note["members"]
    titles = {member["name"]: str(member["title"]) for member in members}
    attacks = {
        (target, generator): _attack(base, target, generator, titles)
        for target in titles
        for generator in titles
    }
    commands = {stage["path"]: str(stage["command"]) for stage in note["stages"]}
    records = tuple(analysis_of(name) for name in _carried_out(note) if name in (*names(), *own))
    analyses = [one.name for one in records]
    networks = [
        _network(base, member, attacks[(member["name"],) * 2], commands, analyses) for member in members
    ]
    references = [_reference(base, member, commands, analyses) for member in note.get("references", ())]
    return Findings(networks, references, note["missing"], list(attacks.values()), note, records)


def _attack(base: Path, target: str, generator: str, titles: Mapping[str, str]) -> AttackRun:
    run = read_run(base / f"stages/{target}/attack-by-{generator}")
    return replace(
        run,
        target=replace(run.target, name=titles[target]),
        generator=replace(run.generator, name=titles[generator]),
    )


def _network(
    base: Path,
    member: Mapping[str, Any],
    attack: AttackRun,
    commands: Mapping[str, str],
    analyses: Sequence[str],
) -> NetworkFindings:
    folder = base / "stages" / str(member["name"])
    predictions = RunDirectory.open(folder / "predict").read_json(RESULTS)
    return NetworkFindings(
        **_measured(base, member, attack, commands, analyses),
        predictions=predictions if isinstance(predictions, dict) else {},
        arrays={
            **{name: _arrays_of(folder / name, name) for name in analyses},
            ATTACK: read_samples(RunDirectory.open(attack.path)),
            SNAPSHOTS: load_arrays(RunDirectory.open(folder / SNAPSHOTS).path / f"{SNAPSHOTS}.npz"),
        },
    )


def _arrays_of(folder: Path, analysis: str) -> Arrays:
    """What an analysis kept for its figures; empty where it has none."""
    path = RunDirectory.open(folder).path / f"arrays/{analysis}.npz"
    return load_arrays(path) if path.is_file() else {}


def _reference(
    base: Path, member: Mapping[str, Any], commands: Mapping[str, str], chosen: Sequence[str]
) -> Measured:
    """With those analyses that were carried out."""
    name = str(member["name"])
    analyses = [one for one in chosen if f"stages/{name}/{one}" in commands]
    attack = _attack(base, name, name, {name: str(member["title"])})
    return Measured(**_measured(base, member, attack, commands, analyses))


def _measured(
    base: Path,
    member: Mapping[str, Any],
    attack: AttackRun,
    commands: Mapping[str, str],
    analyses: Sequence[str],
) -> dict[str, Any]:
    """The fields of Measured."""
    name = str(member["name"])
    summary: dict[str, float | None] = {}
    for analysis in analyses:
        found = RunDirectory.open(base / "stages" / name / analysis).read_json(f"analyses/{analysis}.json")
        summary |= found if isinstance(found, dict) else {}
    prefix = f"stages/{name}/"
    return {
        "name": name,
        "title": str(member["title"]),
        "spec": str(member["spec"]),
        "role": attack.target,
        "summary": summary,
        "attack": attack,
        "commands": {
            **{path.removeprefix(prefix): one for path, one in commands.items() if path.startswith(prefix)},
            ATTACK: commands.get(f"{prefix}attack-by-{name}", ""),
        },
    }


def load_arrays(path: Path) -> Arrays:
    """An .npz file. Raises NotARun where it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise NotARun(path.parent, f"{path.name} cannot be read ({error})") from error
