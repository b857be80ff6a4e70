"""What `dpa-engine reproduce` is told, and what `--quick` makes of it."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator, model_validator

from dpa.engine.analysis import usual
from dpa.engine.analysis.config import AnalyzeConfig, SharedSettings, check_options
from dpa.engine.analysis.iob_training import IobConfig
from dpa.engine.analysis.measures import REFERENCES
from dpa.engine.analysis.registry import Analysis, analysis_of, chosen_analyses
from dpa.engine.attack.config import AttackConfig

FRAMEWORKS = ("nsd", "drnet", "cssl", "cssl-da")
"""The paper's networks, by their names in the zoo."""

QUICK: Mapping[str, Any] = {
    "attacked": 40,
    "crossed": 10,
    "attack": {"max_steps": 60, "batch": 40},
    "pool": 300,
    "samples": 200,
    "pairs": 16,
    "sweep_pairs": 4,
    "sweep_step": 100,
    "permutations": 50,
    "iob": {"epochs": 20, "size": 32, "seeds": 1, "both_ends": False},
    "shown": 2,
}
"""What a look at everything in minutes takes; its figures are rougher."""


IOB = IobConfig(epochs=40, seeds=2, both_ends=False)
"""The authors' 40 epochs: of zoo:nsd at 32² (mean of two seeds) 10 give IOB(I, A) 1.17 and IOB(I, P) 1.11, 20
give 1.25 and 1.20, 40 give 1.35 and 1.33; fewer than 5 say that no code helps. Two seeds instead of
`analyze`'s three, and one kind of decoder, are to keep four networks within the page's 25 minutes."""


class ReproduceConfig(SharedSettings):
    """One run of `dpa-engine reproduce`, and of `dpa-engine zoo calibrate`.

    frameworks: names in the zoo, or NAME=SPEC with a run directory or my_module:load. references: networks of
    the zoo whose answer is known, measured for the calibration table alone. analyses: names, groups and
    users' own, as `analyze` takes them. attack: limits and step of every attack, by the paper's protocol
    unless another, or null, is named with it; attacked: frames that each network's own attack takes, crossed:
    those of an attack with another's pictures. shown: attacks of each network that can be watched on the
    page. The others: as `SharedSettings` has them.
    """

    frameworks: tuple[str, ...] = FRAMEWORKS
    references: tuple[str, ...] = REFERENCES
    analyses: tuple[str, ...] = Field(default_factory=usual)
    attack: AttackConfig = AttackConfig(protocol="paper", batch=64)
    attacked: int = Field(default=128, ge=1)
    crossed: int = Field(default=32, ge=1)
    pool: int = Field(default=1000, ge=8)
    sweep_pairs: int = Field(default=8, ge=1)
    iob: IobConfig = IOB
    shown: int = Field(default=4, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _attack_by_the_papers_protocol(cls, values: dict[str, Any]) -> dict[str, Any]:
        attack = values.get("attack")
        if not isinstance(attack, Mapping):
            return values
        usual = cls.model_fields["attack"].default
        return values | {"attack": {"protocol": usual.protocol, "batch": usual.batch, **attack}}

    @field_validator("analyses")
    @classmethod
    def _analyses(cls, wanted: tuple[str, ...]) -> tuple[str, ...]:
        return chosen_analyses(wanted)

    @model_validator(mode="after")
    def _options(self) -> "ReproduceConfig":
        check_options(self.options, self.analyses)
        return self

    def analysis(self, one: Analysis | None, network: str) -> AnalyzeConfig:
        """The settings of one analysis of one network, as `dpa-engine analyze` takes them: those that it
        reads, so that another setting neither makes it anew nor lengthens its command. None: of all."""
        shared = set(SharedSettings.model_fields) - {"options"}
        keys = shared if one is None else {*one.reads, "source", "seed", "device"}
        analyses = self.analyses if one is None else (one.named,)
        wanted = {analysis_of(name).name for name in analyses}
        return AnalyzeConfig(
            analyses=analyses,
            network=network,
            options={name: told for name, told in self.options.items() if name in wanted},
            **{key: getattr(self, key) for key in sorted(keys)},
        )
