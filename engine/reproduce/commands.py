"""The command that prints a stage's figures alone, as a reader would type it."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.evaluation_set import evaluation_config, set_key

EVALUATION_SET = "${DPA_CACHE:-$HOME/.cache/dpa-engine}/evaluation-"
"""Where the default evaluation set is, for commands that want a path."""


def attack_command(config: AttackRunConfig) -> str:
    """`dpa-engine attack` with the settings that differ from its defaults."""
    words = [] if config.source is None else [str(config.source)]
    words += ["--target", config.target]
    if config.generator != config.target:
        words += ["--generator", config.generator]
    default = AttackRunConfig(target=config.target, generator=config.generator, source=config.source)
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
