"""What `dpa-engine analyze` is told."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, field_validator

from dpa.engine.analysis.iob_training import IobConfig
from dpa.models.config import Config
from dpa.models.errors import InputError

ANALYSES = ("swap", "zero", "tsne", "channels", "sweep", "dc", "iob", "counterfactual")
"""In the order of the paper, what goes beyond it last."""

GROUPS = {"metrics": ("dc", "iob"), "all": ANALYSES}


class UnknownAnalysis(InputError):
    """An analysis that does not exist."""

    def __init__(self, name: str) -> None:
        known = (*ANALYSES, *GROUPS)
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        super().__init__(f"analysis {name!r}", f"some of {', '.join(known)}", f"did you mean {nearest!r}?")


class AnalyzeConfig(Config):
    """One run of `dpa-engine analyze`. Raises UnknownAnalysis.

    analyses: which, of ANALYSES and GROUPS. network: zoo:NAME or a run. source: a packed store, None for the
    default evaluation set. samples: pictures for DC and IOB (the paper's 400). pool: frames that everything
    else draws from. pairs: of the swap and of similar poses. sweep_pairs, sweep_step: pairs of the sweep, and
    its step of K. neighbours: k. permutations: of the null. tsne_subject: whose appearance codes are laid
    out (None: S7 as in the paper, or the first there is).
    """

    analyses: tuple[str, ...] = ANALYSES
    network: str = "zoo:nsd"
    source: Path | None = None
    subjects: tuple[str, ...] | None = None
    samples: int = Field(default=400, ge=4)
    pool: int = Field(default=2000, ge=8)
    pairs: int = Field(default=64, ge=1)
    sweep_pairs: int = Field(default=16, ge=1)
    sweep_step: int = Field(default=50, ge=1)
    neighbours: int = Field(default=5, ge=1)
    permutations: int = Field(default=200, ge=1)
    tsne_subject: str | None = None
    iob: IobConfig = IobConfig()
    seed: int = Field(default=0, ge=0)
    device: str = "auto"

    @field_validator("analyses")
    @classmethod
    def _analyses(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return chosen_analyses(names)


def chosen_analyses(names: Sequence[str]) -> tuple[str, ...]:
    """Names and groups → names without repetition, in the order of ANALYSES. Raises UnknownAnalysis."""
    wanted: set[str] = set()
    for name in names:
        if name not in ANALYSES and name not in GROUPS:
            raise UnknownAnalysis(name)
        wanted.update(GROUPS.get(name, (name,)))
    return tuple(name for name in ANALYSES if name in wanted)
