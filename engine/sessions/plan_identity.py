"""What a TensorRT plan is valid for. A plan is native code for one version, one GPU model and fixed
shapes: whatever differs makes it another plan."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Positive = Annotated[int, Field(ge=1, le=1 << 20)]


class PlanPlace(BaseModel):
    """Where a plan may run. builder: the package that made it; version: its version; gpu: model and
    compute capability, 'any' for tensorrt_rtx; platform: system and processor."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    builder: Literal["tensorrt", "tensorrt_rtx"]
    version: str
    gpu: str
    platform: str


class PlanIdentity(BaseModel):
    """All that a plan depends on.

    onnx: SHA-256 of the network; inputs: name → dimensions after the batch; buckets: batch sizes, one
    optimisation profile each, in this order; flags: builder flags that are not as by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    onnx: Sha256
    place: PlanPlace
    inputs: dict[str, tuple[Positive, ...]]
    buckets: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=16)]
    flags: tuple[str, ...] = ()

    def key(self) -> str:
        """64 hexadecimal digits that stand for the whole."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def reasons_stale(self, onnx: str, here: PlanPlace) -> list[str]:
        """In words, why this plan is of no use for that network in that place; none when it is."""
        reasons = []
        if self.onnx != onnx:
            reasons.append("its ONNX file is another")
        for name in PlanPlace.model_fields:
            was, now = getattr(self.place, name), getattr(here, name)
            if was != now:
                reasons.append(f"{name} was {was}, here it is {now}")
        return reasons
