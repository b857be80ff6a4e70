"""The settings of a run that is gone on with: its own, and no others."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.runs.directory import CONFIG, RunDirectory
from dpa.models.config import load_config
from dpa.models.errors import InputError


class OtherSetting(InputError):
    """An option that contradicts the run that is to be gone on with."""

    def __init__(self, path: Path, key: str, began: object, now: object) -> None:
        super().__init__(
            found=f"{path}: {key} = {now!r} is asked for",
            expected=f"{began!r}, as when the run began",
            remedy="leave the option out, or begin a new run",
        )


class OptionWithResume(InputError):
    """An option that makes no sense for a run that has begun."""

    def __init__(self, option: str) -> None:
        super().__init__(
            found=f"{option} together with --resume",
            expected="--resume RUN alone: everything else stands in the run's config.resolved.yaml",
            remedy=f"leave out {option}, or begin a new run",
        )


def resumed_settings(
    run: RunDirectory, flags: Mapping[str, object], overrides: Sequence[str]
) -> AttackRunConfig:
    """The settings in the run's config.resolved.yaml. flags, overrides: as for `load_config`; they may
    repeat a setting, not change it. Raises OtherSetting, and what `load_config` raises for a run of
    another command."""
    told = load_config(AttackRunConfig, run.path / CONFIG)
    asked = load_config(AttackRunConfig, run.path / CONFIG, overrides, flags)
    for key in AttackRunConfig.model_fields:
        one, other = getattr(told, key), getattr(asked, key)
        if one != other:
            raise OtherSetting(run.path, key, one, other)
    return told


@contextmanager
def way_on(run: RunDirectory) -> Iterator[None]:
    """Adds to what stops the run how to go on with it; to bad input, which stops it again, nothing."""
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        error.add_note(f"to go on: dpa-engine attack --resume {shlex.quote(str(run.path))}")
        raise
