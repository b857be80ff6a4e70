"""Every stage of a reproduction in the order in which it is done, and the command that prints it alone."""

import json
import shlex
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.measures import ATTACK
from dpa.engine.analysis.registry import analysis_of
from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.evaluation_set import evaluation_config, set_key
from dpa.engine.reproduce.participants import Participant, store_key
from dpa.engine.reproduce.stage import Stage
from dpa.engine.reproduce.work import Pair, StageWork

EVALUATION_SET = "${DPA_CACHE:-$HOME/.cache/dpa-engine}/evaluation-"
"""Where the default evaluation set is, for commands that want a path."""


def attack_command(config: AttackRunConfig) -> str:
    """`dpa-engine attack` with the settings that differ from its defaults."""
    words = [] if config.source is None else [str(config.source)]
    words += ["--target", config.target]
    if config.generator != config.target:
        words += ["--generator", config.generator]
    words += [] if config.protocol is None else ["--protocol", config.protocol]
    usual = {"target", "generator", "source", "protocol"}
    default = AttackRunConfig.model_validate(config.model_dump(include=usual))
    return _command("attack", words, config, default)


def analyze_command(config: AnalyzeConfig) -> str:
    """`dpa-engine analyze` of one analysis, likewise."""
    words = [*config.analyses, "--network", config.network]
    words += [] if config.source is None else ["--data", str(config.source)]
    default = AnalyzeConfig(analyses=config.analyses, network=config.network, source=config.source)
    return _command("analyze", words, config, default)


def evaluate_command(spec: str, source: Path | None) -> str:
    """`dpa-engine evaluate` on the data, the default set where none are named."""
    data = EVALUATION_SET + set_key(evaluation_config()) if source is None else shlex.quote(str(source))
    return f"dpa-engine evaluate {shlex.quote(spec)} {data}"


def _command(name: str, words: list[str], config: BaseModel, default: BaseModel) -> str:
    settings = (f"--set {shlex.quote(setting)}" for setting in _differences(config, default))
    return " ".join(["dpa-engine", name, shlex.join(words), *settings])


def _differences(config: BaseModel, default: BaseModel, prefix: str = "") -> Iterator[str]:
    """name=value of every setting that is not as in `default`, groups dotted, values as JSON."""
    for name in type(config).model_fields:
        value, usual = getattr(config, name), getattr(default, name)
        if value == usual:
            continue
        if isinstance(value, BaseModel) and isinstance(usual, BaseModel):
            yield from _differences(value, usual, f"{prefix}{name}.")
        else:
            plain = config.model_dump(mode="json")[name]
            yield f"{prefix}{name}={plain if isinstance(plain, str) else json.dumps(plain)}"


def folder_of(member: Participant, what: str) -> str:
    """Where a stage of one network is kept."""
    return f"stages/{member.name}/{what}"


def attack_folder(target: Participant, generator: Participant) -> str:
    """Where one attack is kept."""
    return f"stages/{target.name}/attack-by-{generator.name}"


def usual_stages(analyses: Sequence[str]) -> tuple[str, ...]:
    """The stages that a calibration takes unless more are asked for: ATTACK and the analyses that have a
    measure with a scale, without the slow ones."""
    records = [analysis_of(name) for name in analyses]
    scaled = [one for one in records if not one.slow and any(measure.scale for measure in one.measures)]
    return (ATTACK, *(one.name for one in scaled))


def plan(
    work: StageWork, members: Sequence[Participant], references: Sequence[Participant] = ()
) -> list[Stage]:
    """Network by network what it needs of itself, then the attacks with other networks' pictures, then what a
    calibration reads on the networks whose answer is known."""
    stages: list[Stage] = []
    for member in members:
        stages += _own_stages(work, member)
    for target in members:
        for generator in members:
            if generator != target:
                stages.append(_attack(work, Pair(generator, target), work.config.crossed))
    for member in references:
        usual = usual_stages(work.config.analyses)
        read = {attack_folder(member, member), *(folder_of(member, name) for name in usual)}
        stages += [stage for stage in _own_stages(work, member) if stage.path in read]
    return stages


def _own_stages(work: StageWork, member: Participant) -> Iterator[Stage]:
    config, data = work.config, store_key(work.store.path)
    weights = {"weights": member.weights, "data": data}
    yield Stage(
        folder_of(member, "predict"),
        f"{member.title}: predictions",
        weights,
        evaluate_command(member.spec, config.source),
        partial(work.predict, member),
    )
    own = _attack(work, Pair(member, member), config.attacked)
    yield own
    for analysis in map(analysis_of, config.analyses):
        settings = config.analysis(analysis, member.spec)
        yield Stage(
            folder_of(member, analysis.name),
            f"{member.title}: {analysis.title}",
            weights | settings.model_dump(mode="json"),
            analyze_command(settings),
            partial(work.analyse, member, analysis),
        )
    yield Stage(
        folder_of(member, "snapshots"),
        f"{member.title}: the attack, step by step",
        {"attack": own.key, "shown": config.shown},
        own.command,
        partial(work.watch, member, own.path),
    )


def _attack(work: StageWork, roles: Pair, samples: int) -> Stage:
    config = work.config
    settings = AttackRunConfig(
        **(config.attack.model_dump() | {"seed": config.seed}),
        target=roles.target.spec,
        generator=roles.generator.spec,
        source=config.source,
        samples=samples,
        device=config.device,
    )
    own = roles.target == roles.generator
    return Stage(
        attack_folder(roles.target, roles.generator),
        f"{roles.target.title}: attack" + ("" if own else f" with pictures by {roles.generator.title}"),
        settings.model_dump(mode="json")
        | {
            "data": store_key(work.store.path),
            "weights": [roles.target.weights, roles.generator.weights],
        },
        attack_command(settings),
        partial(work.attack, settings, roles),
        resumes=True,
    )
