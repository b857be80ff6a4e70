"""What an attack is told: threshold, budget, optimiser, batch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from dpa.models.config import Config, Seed

OptimiserName = Literal["adam", "sgd", "sign", "polyak"]
BackendName = Literal["eager", "fused", "compiled", "auto"]
ProtocolName = Literal["paper"]

STEP_SIZES: Mapping[OptimiserName, float] = {"adam": 0.5, "sgd": 1.0, "sign": 0.25, "polyak": 6.0}
"""Default step size of each optimiser, in units of the appearance code. The paper names neither
optimiser nor step size; of those that succeeded most often in sweeps over training frames of
`zoo:nsd`, Adam's is the smallest and Polyak's, the longest step it may take, needed the fewest iterations
(README; `dpa-engine attack DATA --sweep` prints them anew)."""

WHITENED_STEP_SIZES: Mapping[OptimiserName, float] = {"adam": 0.5, "sgd": 1.0, "sign": 0.25, "polyak": 6.0}
"""The same with a budget, where steps are in units of the spread of real codes."""

SWEPT: Mapping[OptimiserName, tuple[float, ...]] = {
    "adam": (0.1, 0.25, 0.5, 1.0, 2.0),
    "sgd": (0.25, 0.5, 1.0, 2.0, 4.0),
    "sign": (0.05, 0.1, 0.25, 0.5, 1.0),
    "polyak": (1.0, 2.0, 3.0, 4.0, 6.0),
}
"""What `--sweep` tries, around each optimiser's default."""

PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"optimiser": "adam", "step_size": STEP_SIZES["adam"], "budget": None, "backend": "eager"},
}
"""Settings that belong together under a name. `paper` is what the tables are made with (`zoo card`,
`reproduce`, `zoo calibrate`): Algorithm 1 with Adam, as anyone would take, and the step `eager`, whose
results repeat to the last bit on one machine, whatever a warm-up would have measured there."""


class AttackConfig(Config):
    """The attack of Algorithm 1 with what the paper leaves open. `AttackConfig()` is what
    `dpa-engine attack` does.

    protocol: a set of settings by its name, see PROTOCOLS; one that contradicts it is refused.
    min_error_mm: success is MPJPE above this (the paper's finals fit about 175 mm).
    max_steps: updates of the appearance code at most. step_size: the optimiser's own where none is
    given, also where a later file, flag or --set changes the optimiser alone. budget: how far codes may go,
    see `appearance.radius_of`: with any, `none` too, steps are in units of the spread of real codes; without,
    in those of the code, and nothing bounds them: the paper's Algorithm 1. batch: slots that are attacked
    at once. freeze_box: the box is found again in every adversarial frame, but no gradient flows through it.
    clamp: decoded colours are limited to [0, 1] before they are composed, because an image holds nothing
    else (the project's choice). seed: picks the samples; the attack itself draws nothing at random.
    optimiser, backend: what is fastest at equal success and no more change of the picture; results name
    both. `polyak` was 1.3 to 1.5 times as fast as Adam on zoo:nsd, 1.1 on zoo:drnet, as fast on zoo:cssl
    (bench/results). `auto` is the fastest step of this machine; `fused` sends some samples elsewhere than
    `eager`: of 256, mean final errors are 0.6 to 5.7 mm apart, success rates within 0.8 points (README).
    """

    FOLLOWERS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "optimiser": ("step_size",),
        "budget": ("step_size",),
        "protocol": ("optimiser", "step_size", "backend"),
    }

    protocol: ProtocolName | None = Field(
        None, description="paper: what the tables are made with, Adam at 0.5 and the step eager."
    )
    min_error_mm: float = Field(175.0, gt=0, description="Success is an MPJPE above this, in mm.")
    max_steps: int = Field(200, ge=0, description="Updates of a sample at most.")
    optimiser: OptimiserName = Field(
        "polyak", description="adam, sgd (unit gradients), sign, or polyak (adapts per sample)."
    )
    step_size: float = Field(
        STEP_SIZES["polyak"],
        gt=0,
        description="In units of the appearance code; another optimiser has its own.",
    )
    budget: str | None = Field(
        None,
        description="How far codes may go: 0.95 (the ball of 95 % of real codes), max, 2max, none. Steps are"
        " then in units of the spread of real codes. Without one: the paper's, nothing bounds them.",
    )
    batch: int = Field(256, ge=1, description="Samples attacked at once.")
    freeze_box: bool = Field(False, description="No gradient through the target's box.")
    clamp: bool = True
    backend: BackendName = Field(
        "auto", description="eager, fused, compiled, or auto: the fastest in a short trial, named in results."
    )
    seed: Seed = 0

    @model_validator(mode="before")
    @classmethod
    def _settings_that_follow_from_others(cls, values: dict[str, Any]) -> dict[str, Any]:
        values = {key: value for key, value in values.items() if key != "step_size" or value is not None}
        name = str(values.get("protocol"))
        for key, value in PROTOCOLS.get(name, {}).items():
            if values.setdefault(key, value) != value:
                raise ValueError(f"protocol {name} has {key} {value}, and {values[key]} is asked for")
        optimiser = values.get("optimiser", cls.model_fields["optimiser"].default)
        sizes = STEP_SIZES if values.get("budget") is None else WHITENED_STEP_SIZES
        return {"step_size": sizes.get(optimiser)} | values

    @field_validator("budget", mode="before")
    @classmethod
    def _readable(cls, budget: object) -> str | None:
        """YAML reads 0.95 as a number."""
        if budget is None:
            return None
        from dpa.engine.attack.appearance import radius_of  # NumPy, which --help can do without

        radius_of(str(budget))
        return str(budget)


class AttackRunConfig(AttackConfig):
    """One run of `dpa-engine attack`: whom, with whose pictures, on which frames.

    target, generator: names of networks, the generator by default the target. source: a packed store,
    None for the default evaluation set. natural: a packed store whose people show what appearances are
    natural; None for the source's clips that are not attacked, or, for the default evaluation set, a set of
    the same people in clothes, skin and light drawn anew. witness: name of a network that was never attacked
    and says whether a picture still shows its pose. samples: how many frames at most. subjects: None
    for all that the source holds. pictures: of how many samples, spread evenly, the synthesised and
    adversarial frames are kept; the figures are of all samples, and the report shows some of these.
    """

    target: str = Field(
        "zoo:nsd",
        description="Network that is attacked: zoo:NAME, a run, my_module:load or a program.",
    )
    generator: str = Field("", description="Network that paints the pictures; without one, the target.")
    source: Path | None = Field(
        None, description="Packed data set; without one, an evaluation set is made once and kept."
    )
    natural: Path | None = Field(
        None,
        description="Data set of natural appearances; without one, the data's clips not attacked, or,"
        " beside the evaluation set, people dressed anew.",
    )
    witness: str | None = Field(
        None,
        description="A network that was never attacked, and says whether a picture still shows its pose:"
        " zoo:witness, a run, my_module:load or a program.",
    )
    samples: int = Field(256, ge=1, description="Frames to attack at most.")
    pictures: int = Field(default=256, ge=1)
    subjects: tuple[str, ...] | None = Field(None, description="Only these subjects, as S1,S5.")
    device: str = Field("auto", description="auto, cpu or cuda.")

    @model_validator(mode="before")
    @classmethod
    def _default_generator(cls, values: dict[str, Any]) -> dict[str, Any]:
        return values | {"generator": values.get("generator") or values.get("target", "zoo:nsd")}
