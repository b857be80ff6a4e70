"""What `dpa-engine analyze` is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from dpa.engine.analysis import usual
from dpa.engine.analysis.iob_training import IobConfig
from dpa.engine.analysis.registry import analysis_of, chosen_analyses
from dpa.models.config import Config, Seed, load_config
from dpa.models.errors import InputError


class SharedSettings(Config):
    """What analyses share, on the command line of `analyze` and of `reproduce`.

    source: a packed store, None for the default evaluation set. samples: pictures for DC and IOB (the paper's
    400). pool: frames that everything else draws from. pairs: of the swap and of similar poses. sweep_pairs,
    sweep_step: pairs of the sweep, and its step of K. neighbours: k. permutations: of the null. tsne_subject:
    whose appearance codes are laid out (None: S7 as in the paper, or the first there is). options: settings
    of single analyses by their names, as their records declare them.
    """

    source: Path | None = None
    samples: int = Field(default=400, ge=4)
    pool: int = Field(default=2000, ge=8)
    pairs: int = Field(default=64, ge=1)
    sweep_pairs: int = Field(default=16, ge=1)
    sweep_step: int = Field(default=50, ge=1)
    neighbours: int = Field(default=5, ge=1)
    permutations: int = Field(default=200, ge=1)
    tsne_subject: str | None = None
    iob: IobConfig = IobConfig()
    options: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    seed: Seed = 0
    device: str = "auto"


class AnalyzeConfig(SharedSettings):
    """One run of `dpa-engine analyze`. Raises UnknownAnalysis, NotAnAnalysis, and for `options` what
    `load_config` raises.

    analyses: names, groups of them, and users' own (`registry.chosen_analyses`). network: zoo:NAME or a run.
    subjects: whose frames, None for all.
    """

    analyses: tuple[str, ...] = Field(default_factory=usual)
    network: str = "zoo:nsd"
    subjects: tuple[str, ...] | None = None

    @field_validator("analyses")
    @classmethod
    def _analyses(cls, wanted: tuple[str, ...]) -> tuple[str, ...]:
        return chosen_analyses(wanted)

    @model_validator(mode="after")
    def _options(self) -> "AnalyzeConfig":
        check_options(self.options, self.analyses)
        return self


def check_options(options: Mapping[str, Mapping[str, Any]], analyses: tuple[str, ...]) -> None:
    """Refuses settings that no chosen analysis declares. Raises InputError, UnknownKey, BadValue."""
    kinds = {analysis_of(name).name: analysis_of(name).options for name in analyses} if options else {}
    for name, values in options.items():
        if name not in kinds:
            raise InputError(
                f"options for the analysis {name!r}",
                f"options for some of {', '.join(kinds)}",
                f"name the analysis as well, or leave options.{name} out",
            )
        load_config(kinds[name], None, (), values)
