"""In which arithmetic a training computes."""

from contextlib import AbstractContextManager
from typing import Literal

import torch

Precision = Literal["fp32", "tf32", "bf16"]
"""bf16: autocast, fp32 weights; on a GPU the rest in TF32. tf32: matrix products and convolutions on a GPU
in TF32, plain fp32 on a CPU, which has no such thing. fp32: IEEE single precision throughout."""


def set_precision(precision: Precision, device: torch.device) -> None:
    """Allows or forbids TF32 in the GPU's libraries, which forbid it in products but not in convolutions
    unless told."""
    if device.type != "cuda":
        return
    chosen = "ieee" if precision == "fp32" else "tf32"
    torch.backends.cuda.matmul.fp32_precision = chosen
    torch.backends.cudnn.conv.fp32_precision = chosen  # type: ignore[attr-defined]


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """The context of a forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
