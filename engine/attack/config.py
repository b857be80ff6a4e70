"""What an attack is told: threshold, budget, optimiser, batch."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from dpa.models.config import Config

OptimiserName = Literal["adam", "sgd", "sign", "polyak"]
BackendName = Literal["eager", "fused", "compiled", "auto"]

STEP_SIZES: dict[OptimiserName, float] = {"adam": 0.5, "sgd": 1.0, "sign": 0.25, "polyak": 6.0}
"""Default step size of each optimiser, in units of the appearance code. The paper names neither
optimiser nor step size; of those that succeeded most often in sweeps over training frames of
`zoo:nsd`, Adam's is the smallest and Polyak's, the longest step it may take, needed the fewest iterations
(README; `dpa-engine attack DATA --sweep` prints them anew)."""


class AttackConfig(Config):
    """The attack of Algorithm 1 with what the paper leaves open.

    min_error_mm: success is MPJPE above this (FACTS: the paper's finals fit about 175 mm).
    max_steps: updates of the appearance code at most. step_size: the optimiser's default where none is
    given. batch: slots that are attacked at once. freeze_box: the box is found again in every adversarial
    frame, but no gradient flows through it. clamp: decoded colours are limited to [0, 1]
    before they are composed, because an image holds nothing else (the project's choice).
    backend: which implementation of a step runs. seed: picks the samples; the attack itself draws
    nothing at random.

    The defaults are those of the tables (`zoo card`, `reproduce`): Adam and `eager`, whose results repeat
    to the last bit on one machine, whatever a warm-up would have measured there. `fused` ends elsewhere
    (256 samples against a plain loop, bench/results: success the same, mean final error 0.3 and 3.8 mm off).
    Adam rather than `polyak`: that is 1.4 times as fast at equal success and PSNR on `zoo:nsd`, where its
    constants were chosen, but took no fewer iterations than Adam on `zoo:cssl` (9.8 and 9.1, 98 and 100 %
    of 64 samples) and `zoo:drnet` (6.2 and 5.3 of 48 samples, all; pictures changed less, 37.4 and 33.2 dB).
    """

    min_error_mm: float = Field(default=175.0, gt=0)
    max_steps: int = Field(default=200, ge=0)
    optimiser: OptimiserName = "adam"
    step_size: float = Field(default=STEP_SIZES["adam"], gt=0)
    batch: int = Field(default=256, ge=1)
    freeze_box: bool = False
    clamp: bool = True
    backend: BackendName = "eager"
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _default_step_size(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("step_size") is not None:
            return values
        return values | {"step_size": STEP_SIZES.get(values.get("optimiser", "adam"))}


class AttackRunConfig(AttackConfig):
    """One run of `dpa-engine attack`: whom, with whose pictures, on which frames.

    target, generator: names of networks, the generator by default the target. source: a packed store,
    None for the default evaluation set. samples: how many frames at most. subjects: None
    for all that the source holds. pictures: of how many samples, spread evenly, the synthesised and
    adversarial frames are kept; the figures are of all samples, and the report shows some of these.
    backend: a run takes the fastest step of this machine, and its results name it; a table names its own.
    """

    backend: BackendName = "auto"
    target: str = "zoo:nsd"
    generator: str = ""
    source: Path | None = None
    samples: int = Field(default=256, ge=1)
    pictures: int = Field(default=256, ge=1)
    subjects: tuple[str, ...] | None = None
    device: str = "auto"

    @model_validator(mode="before")
    @classmethod
    def _default_generator(cls, values: dict[str, Any]) -> dict[str, Any]:
        return values | {"generator": values.get("generator") or values.get("target", "zoo:nsd")}
