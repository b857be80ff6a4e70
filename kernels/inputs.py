"""What every back-end of composite_crop receives, and what it must offer."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor


class Inputs(NamedTuple):
    """Contiguous float32 tensors (plate_index: int64) on one device, free of autograd.

    rgb: [B, 3, s, s]; mask: [B, 1, s, s]; box_from, box_to: [B, 4]; plates: [P, 3, H, W]; plate_index: [B].
    """

    rgb: Tensor
    mask: Tensor
    box_from: Tensor
    plates: Tensor
    plate_index: Tensor
    box_to: Tensor


class Kernels(Protocol):
    """One back-end. Both calls write into their last argument; B ≥ 1."""

    def forward(self, inputs: Inputs, out: Tensor) -> None:
        """out: [B, 3, size, size]."""

    def backward(self, inputs: Inputs, grad: Tensor, outputs: Sequence[Tensor | None]) -> None:
        """grad: [B, 3, size, size]; outputs: gradients of rgb, mask, box_from and box_to, or None each."""
