"""Bilinear sampling as matrix products: what the attack's step needs so that its gradient is made of
operations that an ONNX graph has (there is no gradient of GridSample or Resize in it).

Boxes are axis-aligned, so sampling separates into rows and columns, and bilinear weights are a hat
function of the distance between where one looks and where a pixel is.
"""

import torch
from torch import Tensor, nn


def centres(size: int, like: Tensor) -> Tensor:
    """Normalised coordinates of pixel centres, pixel edges at ±1. [size]"""
    return (2 * torch.arange(size, device=like.device, dtype=like.dtype) + 1) / size - 1


def hat(places: Tensor, size: int, *, border: bool = False) -> Tensor:
    """Weights that sample `size` pixels at normalised places [..., n] → [..., n, size]. Outside: zero, or
    the border's value."""
    index = ((places + 1) * size - 1) / 2
    index = index.clamp(0, size - 1) if border else index
    pixels = torch.arange(size, device=places.device, dtype=places.dtype)
    return (1 - (index[..., None] - pixels).abs()).clamp_min(0)


def sample(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """images [B, C, h, w], rows [B or none, n, h], columns [B or none, m, w] → [B, C, n, m]."""
    if rows.dim() == 3:
        rows, columns = rows[:, None], columns[:, None]
    return rows @ images @ columns.transpose(-1, -2)


def crop_weights(box: Tensor, size: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows [B, size, height] and columns [B, size, width] that crop a frame to `size`; zero outside."""
    u = centres(size, box)
    return (
        hat(box[:, 1, None] * u + box[:, 3, None], height),
        hat(box[:, 0, None] * u + box[:, 2, None], width),
    )


def paste_weights(box: Tensor, size: int, height: int, width: int, *, border: bool) -> tuple[Tensor, Tensor]:
    """Rows [B, height, size] and columns [B, width, size] that put a crop back into its frame."""
    y = (centres(height, box) - box[:, 3, None]) / box[:, 1, None]
    x = (centres(width, box) - box[:, 2, None]) / box[:, 0, None]
    return hat(y, size, border=border), hat(x, size, border=border)


class Doubling(nn.Module):
    """Bilinear ×2 with constant matrices, as F.interpolate(align_corners=False) has it.
    [B, C, side, side] → [B, C, 2·side, 2·side]."""

    weights: Tensor

    def __init__(self, side: int, dtype: torch.dtype) -> None:
        super().__init__()
        like = torch.zeros(1, dtype=dtype)
        self.register_buffer("weights", hat(centres(2 * side, like), side, border=True))

    def forward(self, x: Tensor) -> Tensor:
        return sample(x, self.weights, self.weights)
