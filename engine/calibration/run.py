"""Takes the readings: those stages of a reproduction that a calibration needs, kept as it keeps them."""

import json
from collections.abc import Sequence
from pathlib import Path

from dpa.engine.calibration.measures import ATTACK, MEASURES
from dpa.engine.calibration.preset import preset_of
from dpa.engine.calibration.scale import Reading
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.reproduce.participants import Member
from dpa.engine.reproduce.plan import attack_folder, folder_of, plan
from dpa.engine.reproduce.stage import KIND, Progress, carry_out_missing
from dpa.engine.reproduce.work import Laboratory, PoseSession
from dpa.engine.runs.directory import RESULTS
from dpa.models.artefacts import claim
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError

TABLE = "calibration.json"


def stages_of(names: Sequence[str]) -> tuple[str, ...]:
    """The stages that give the measures, without those that are not asked for. Raises InputError."""
    known = tuple(dict.fromkeys(measure.stage for measure in MEASURES))
    for name in names:
        if name not in known:
            raise InputError(f"stage {name!r}", f"some of {', '.join(known)}", "correct --stages")
    return tuple(name for name in known if name in names)


def take_readings(
    config: ReproduceConfig,
    members: Sequence[Member],
    wanted: Sequence[str],
    store: PackedStore,
    out: Path,
    pose_session: PoseSession | None = None,
    progress: Progress | None = None,
) -> dict[str, Reading]:
    """Attacks and analyses each network, or finds it done in `out`. wanted: ATTACK and names of analyses.
    Raises NotOurs where `out` holds something else."""
    claim(out, KIND, _was_a_calibration)
    folders = {
        (member.name, stage): attack_folder(member, member) if stage == ATTACK else folder_of(member, stage)
        for member in members
        for stage in wanted
    }
    planned = plan(Laboratory(config, store, out, pose_session), members)
    stages = {stage.path: stage for stage in planned if stage.path in folders.values()}
    carry_out_missing(list(stages.values()), out, progress)
    return {
        member.name: Reading(
            values={
                key: value
                for stage in wanted
                for key, value in _figures(out / folders[member.name, stage], stage).items()
            },
            commands={stage: stages[folders[member.name, stage]].command for stage in wanted},
            preset=preset_of(member.spec),
        )
        for member in members
    }


def _was_a_calibration(out: Path) -> bool:
    """Whether an unmarked folder is an earlier version's, by its table."""
    try:
        found = json.loads((out / TABLE).read_text())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"networks", "measures"} <= found.keys()


def _figures(folder: Path, stage: str) -> dict[str, float | None]:
    """The measures that a stage's folder holds."""
    name = RESULTS if stage == ATTACK else f"analyses/{stage}.json"
    found = json.loads((folder / name).read_text())
    return {measure.key: found.get(measure.key) for measure in MEASURES if measure.stage == stage}
