"""What `export` is told. Light: the command line makes its options from this class."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from dpa.models.config import Config, Seed

BUCKETS = (1, 8, 32, 128, 256)
"""Batch sizes that a plan is built for by default; others are padded to the next."""

Buckets = Annotated[tuple[Annotated[int, Field(ge=1, le=1 << 16)], ...], Field(min_length=1, max_length=16)]


class ExportConfig(Config):
    """backend, precision, graphs: several, each combination is one engine. limit: None for 1 mm, and 3 for
    int8."""

    backend: tuple[str, ...] = Field(("onnx",), description="Of onnx, openvino, tensorrt.")
    precision: tuple[str, ...] = Field(("fp32",), description="Of fp32, fp16, bf16, int8.")
    buckets: Buckets = Field(BUCKETS, description="Batch sizes of TensorRT plans.")
    graphs: tuple[str, ...] = Field(
        ("pose", "encode", "decode", "regress", "step"),
        description="Of pose, encode, decode, regress, step.",
    )
    data: Path | None = Field(
        None, description="Packed set for parity and calibration; without one, the evaluation set."
    )
    frames: int = Field(128, ge=2, description="Frames for parity, and as many for calibration.")
    judged: int = Field(
        32, ge=0, description="Of these frames, so many are attacked for the verdicts; 0 for none."
    )
    limit: float | None = Field(
        None, ge=0, description="Mean shift allowed, in mm; if none is named, 1, and 3 for int8."
    )
    seed: Seed = Field(0, description="Chooses the frames.")
