"""Carries a plan out, reuses what is done, and notes in reproduction.json what was made."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dpa.engine.report.findings import NOTE
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.reproduce.participants import Missing, Participant, find_participants, find_references
from dpa.engine.reproduce.plan import plan
from dpa.engine.reproduce.stage import KEY, KIND, Progress, Stage, carry_out_missing
from dpa.engine.reproduce.work import PoseSession, StageWork
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.engine.runs.environment import devices, versions
from dpa.models.artefacts import claim
from dpa.models.atomic import write_json
from dpa.models.data.store import PackedStore
from dpa.models.documents import read_json


@dataclass(frozen=True)
class Done:
    """How many stages were carried out, and how many were there already. unsound: those in which a network
    gave out numbers that are not finite, or no gradient."""

    made: int
    reused: int
    unsound: tuple[str, ...] = ()


def reproduce(
    config: ReproduceConfig,
    store: PackedStore,
    out: Path,
    pose_session: PoseSession | None = None,
    progress: Progress | None = None,
) -> Done:
    """Does every stage whose result `out` does not hold yet. A killed call goes on where it was when it is
    called again. Raises NotOurs for a folder that holds something else, and see `find_participants`."""
    members, missing = find_participants(config.frameworks)
    references = find_references(config.references, members)
    stages = plan(StageWork(config, store, out, pose_session), members, references)
    claim(out, KIND, has_note)
    write_json(out / NOTE, note(config, store, out, members, references, missing, stages))
    made = carry_out_missing(stages, out, progress)
    write_json(out / NOTE, note(config, store, out, members, references, missing, stages))
    return Done(made, len(stages) - made, tuple(stage.path for stage in stages if _unsound(out / stage.path)))


def _unsound(folder: Path) -> bool:
    """Whether a stage's results leave samples out."""
    if not (folder / RESULTS).is_file():
        return False
    results = RunDirectory.open(folder).read_json(RESULTS)
    return isinstance(results, dict) and bool(results.get("nonfinite") or results.get("no_gradient"))


def has_note(out: Path) -> bool:
    """Whether an unmarked folder is a reproduction's: its note says what no other program would."""
    try:
        found = read_json(out / NOTE)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"config", "members", "missing", "stages"} <= found.keys()


def note(
    config: ReproduceConfig,
    store: PackedStore,
    out: Path,
    members: Sequence[Participant],
    references: Sequence[Participant],
    missing: Sequence[Missing],
    stages: Sequence[Stage],
) -> dict[str, Any]:
    """What the report must know beside the stages' own results; seconds are None before a stage is done."""
    data = store.info()
    kept = ("frames", "subjects", "actions", "cameras", "size", "fps", "seed")
    return {
        "config": config.model_dump(mode="json"),
        "members": [asdict(member) for member in members],
        "references": [asdict(one) for one in references],
        "missing": [asdict(one) for one in missing],
        "data": {"source": store.source, **{name: data[name] for name in kept if name in data}},
        "device": devices()["cpu"] if config.device == "cpu" else devices().get("cuda:0", devices()["cpu"]),
        "versions": versions(),
        "stages": [
            {
                "path": stage.path,
                "title": stage.title,
                "command": stage.command,
                "seconds": _seconds(out / stage.path),
            }
            for stage in stages
        ],
    }


def _seconds(folder: Path) -> float | None:
    try:
        value = read_json(folder / KEY)["seconds"]
    except (OSError, ValueError, KeyError):
        return None
    return float(value)
