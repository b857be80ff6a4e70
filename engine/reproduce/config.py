"""What `dpa-engine reproduce` is told, and what `--quick` makes of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.iob_training import IobConfig
from dpa.engine.attack.config import AttackConfig
from dpa.engine.calibration.measures import REFERENCES
from dpa.models.config import Config

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

USED: Mapping[str, tuple[str, ...]] = {
    "swap": ("pool", "pairs"),
    "zero": ("pool",),
    "tsne": ("pool", "neighbours"),
    "channels": ("pool", "pairs"),
    "sweep": ("pool", "pairs", "sweep_pairs", "sweep_step"),
    "dc": ("samples", "permutations"),
    "iob": ("samples", "iob"),
    "counterfactual": (),
}
"""The settings that each analysis reads, beside data, seed and device."""


class ReproduceConfig(Config):
    """One run of `dpa-engine reproduce`.

    frameworks: names in the zoo, or NAME=SPEC with a run directory or my_module:load. references: networks of
    the zoo whose answer is known, measured for the calibration table alone. source: a packed store, None for
    the default evaluation set. attack: limits and step of every attack, by the paper's protocol
    unless another, or null, is named with it; attacked: frames that each
    network's own attack takes, crossed: those of an attack with another's pictures. samples, pool, pairs,
    sweep_pairs, sweep_step, neighbours, permutations, iob: as `AnalyzeConfig` has them.
    shown: attacks of each network that can be watched on the page.
    """

    frameworks: tuple[str, ...] = FRAMEWORKS
    references: tuple[str, ...] = REFERENCES
    source: Path | None = None
    attack: AttackConfig = AttackConfig(protocol="paper", batch=64)
    attacked: int = Field(default=128, ge=1)
    crossed: int = Field(default=32, ge=1)
    samples: int = Field(default=400, ge=4)
    pool: int = Field(default=1000, ge=8)
    pairs: int = Field(default=64, ge=1)
    sweep_pairs: int = Field(default=8, ge=1)
    sweep_step: int = Field(default=50, ge=1)
    neighbours: int = Field(default=5, ge=1)
    permutations: int = Field(default=200, ge=1)
    iob: IobConfig = IOB
    shown: int = Field(default=4, ge=1)
    seed: int = Field(default=0, ge=0)
    device: str = "auto"

    @model_validator(mode="before")
    @classmethod
    def _attack_by_the_papers_protocol(cls, values: dict[str, Any]) -> dict[str, Any]:
        attack = values.get("attack")
        if not isinstance(attack, Mapping):
            return values
        usual = cls.model_fields["attack"].default
        return values | {"attack": {"protocol": usual.protocol, "batch": usual.batch, **attack}}

    def analysis(self, name: str, network: str) -> AnalyzeConfig:
        """The settings of one analysis of one network, as `dpa-engine analyze` takes them: those that it
        reads, so that another setting neither makes it anew nor lengthens its command. "all": every one."""
        names = USED.values() if name == "all" else (USED[name],)
        keys = {key for some in names for key in some} | {"source", "seed", "device"}
        return AnalyzeConfig(
            analyses=(name,), network=network, **{key: getattr(self, key) for key in sorted(keys)}
        )
