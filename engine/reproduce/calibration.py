"""Takes the readings of a calibration: those stages of a reproduction that it needs."""

from collections.abc import Sequence
from pathlib import Path

from dpa.engine.analysis import names
from dpa.engine.analysis.measures import ATTACK, ATTACK_MEASURES, Measure
from dpa.engine.analysis.registry import analysis_of, chosen_analyses
from dpa.engine.report.calibration import Calibration, Reading, calibrate, preset_of
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.reproduce.participants import Participant
from dpa.engine.reproduce.plan import attack_folder, folder_of, plan, usual_stages
from dpa.engine.reproduce.stage import KIND, Progress, carry_out_missing
from dpa.engine.reproduce.work import PoseSession, StageWork
from dpa.engine.runs.directory import RESULTS
from dpa.models.artefacts import claim
from dpa.models.atomic import write_json
from dpa.models.data.store import PackedStore
from dpa.models.documents import read_json
from dpa.models.errors import InputError

TABLE = "calibration.json"


def stages_of(wanted: Sequence[str]) -> tuple[str, ...]:
    """ATTACK, names of analyses and users' own → each once, in order. Raises InputError, NotAnAnalysis,
    NoSuchFramework."""
    known = (ATTACK, *names())
    for name in wanted:
        if name not in known and ":" not in name:
            expected = f"some of {', '.join(known)}, my_module:function"
            raise InputError(f"stage {name!r}", expected, "correct --stages")
    analyses = chosen_analyses([name for name in wanted if name != ATTACK])
    return (*([ATTACK] if ATTACK in wanted else ()), *analyses)


def take_calibration(
    config: ReproduceConfig,
    members: Sequence[Participant],
    wanted: Sequence[str] | None,
    store: PackedStore,
    out: Path,
    pose_session: PoseSession | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Attacks and analyses each network, or finds it done in `out`, and writes calibration.json. wanted: see
    `stages_of`; None for those of `config.analyses` that take no long time. Raises NotOurs where `out` holds
    something else, and what `stages_of` raises."""
    asked = stages_of(wanted) if wanted is not None else usual_stages(config.analyses)
    analyses = tuple(name for name in asked if name != ATTACK)
    told = {**config.model_dump(exclude_unset=True), "analyses": analyses}
    records = [analysis_of(name) for name in analyses]
    measures: dict[str, Sequence[Measure]] = {ATTACK: ATTACK_MEASURES} if ATTACK in asked else {}
    measures |= {one.name: one.measures for one in records}
    claim(out, KIND, _was_a_calibration)
    settings = ReproduceConfig.model_validate(told)
    readings = _readings(settings, members, measures, store, out, pose_session, progress)
    found = calibrate(readings, measures)
    write_json(out / TABLE, found.as_json())
    return found


def _readings(
    config: ReproduceConfig,
    members: Sequence[Participant],
    measures: dict[str, Sequence[Measure]],
    store: PackedStore,
    out: Path,
    pose_session: PoseSession | None,
    progress: Progress | None,
) -> dict[str, Reading]:
    folders = {
        (member.name, stage): attack_folder(member, member) if stage == ATTACK else folder_of(member, stage)
        for member in members
        for stage in measures
    }
    planned = plan(StageWork(config, store, out, pose_session), members)
    stages = {stage.path: stage for stage in planned if stage.path in folders.values()}
    carry_out_missing(list(stages.values()), out, progress)
    return {
        member.name: Reading(
            values={
                key: value
                for stage, some in measures.items()
                for key, value in _figures(out / folders[member.name, stage], stage, some).items()
            },
            commands={stage: stages[folders[member.name, stage]].command for stage in measures},
            preset=preset_of(member.spec),
        )
        for member in members
    }


def _was_a_calibration(out: Path) -> bool:
    """Whether an unmarked folder is an earlier version's, by its table."""
    try:
        found = read_json(out / TABLE)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"networks", "measures"} <= found.keys()


def _figures(folder: Path, stage: str, measures: Sequence[Measure]) -> dict[str, float | None]:
    """The measures that a stage's folder holds."""
    name = RESULTS if stage == ATTACK else f"analyses/{stage}.json"
    found = read_json(folder / name)
    return {measure.key: measure.find(found) for measure in measures}
