"""What results.json of every command holds, as models with a version; `dpa-engine schema NAME` prints them as
JSON Schemas. A version rises when a name goes or changes its meaning; new names may come within one."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Share = float
Number = float | None
"""None where there is no finite one."""


class Results(BaseModel):
    """Base: plain values. Further names are kept as they are."""

    model_config = ConfigDict(extra="allow")
    VERSION: ClassVar[int] = 1
    schema_version: int = Field(description="of this file's form")


class SubjectErrors(BaseModel):
    """Of one subject, in mm; success_rate in [0, 1]."""

    model_config = ConfigDict(extra="allow")
    n: int
    initial_mm: Number
    final_mm: Number
    success_rate: Number


class Iterations(BaseModel):
    """Updates that samples took."""

    mean: float
    p50: float
    p90: float
    max: int


class Similarity(BaseModel):
    """Adversarial against synthesised frames, means over samples."""

    ssim: Number
    psnr_db: Number
    mse: Number


class AttackResults(Results):
    """`dpa-engine attack`. Errors are MPJPE in mm over 17 joints, root-relative, no alignment."""

    target: str
    generator: str
    n: int = Field(description="samples that were attacked")
    seed: int
    min_error_mm: float
    max_steps: int
    success_rate: Number = Field(description="share of sound samples, in [0, 1]")
    mpjpe_ground_truth_mm: Number
    mpjpe_initial_mm: Number
    mpjpe_final_mm: Number
    iterations: Iterations
    per_subject: dict[str, SubjectErrors]
    image: Similarity
    throughput: dict[str, float]
    survives: dict[str, Number] = Field(
        default_factory=dict, description="success after JPEG at 90 and a blur of 0.7 px, of n kept pictures"
    )
    device: str
    versions: dict[str, str]


class AnalyzeResults(Results):
    """`dpa-engine analyze`. summary: every figure by name; KEY_low and KEY_high are a 95 % interval."""

    network: str
    framework: str
    data: dict[str, Any]
    subjects: list[str]
    pool: int
    seed: int
    summary: dict[str, Number]
    seconds: dict[str, float]
    device: str
    versions: dict[str, str]


class EvaluateResults(Results):
    """The stage `predict` of a reproduction: what `dpa-engine evaluate --json` prints."""

    n: int
    per_subject: dict[str, dict[str, Any]]


class CalibratedMeasure(BaseModel):
    """One measure on the scale: values and places by network, 0 as the silhouette and 1 as the entangled."""

    model_config = ConfigDict(extra="allow")
    key: str
    title: str
    stage: str
    values: dict[str, Number]
    places: dict[str, Number]
    separation: Number
    informative: bool | None
    verdict: str


class CalibrationResults(Results):
    """calibration.json of `dpa-engine zoo calibrate`."""

    networks: list[str]
    commands: dict[str, dict[str, str]]
    presets: dict[str, str]
    measures: list[CalibratedMeasure]


class ReproduceResults(Results):
    """`dpa-engine reproduce` and `report`: frameworks.NAME.FIGURE, and the command of each."""

    frameworks: dict[str, dict[str, Number]]
    titles: dict[str, str]
    missing: dict[str, str]
    further: dict[str, dict[str, Number]]
    predictions: dict[str, dict[str, Any]]
    commands: dict[str, dict[str, str]]
    calibration: CalibrationResults | None
    verdicts: dict[str, list[str]]
    data: dict[str, Any]
    data_note: str
    device: str
    versions: dict[str, str]
    seconds: dict[str, Number]


SCHEMAS: dict[str, type[Results]] = {
    "attack": AttackResults,
    "analyze": AnalyzeResults,
    "evaluate": EvaluateResults,
    "reproduce": ReproduceResults,
    "calibrate": CalibrationResults,
}
"""By the command that writes them."""


def versioned(kind: type[Results], values: Mapping[str, Any]) -> dict[str, Any]:
    """Results with their version, as they are written. Raises pydantic's ValidationError for values that are
    not of this form."""
    told = {"schema_version": kind.VERSION, **values}
    kind.model_validate(told)
    return told
