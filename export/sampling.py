"""Bilinear sampling in operations that an ONNX graph has fast ones for, and whose gradient it has too (there
is no gradient of GridSample or Resize in it). Boxes are axis-aligned, so sampling separates into rows and
columns, and bilinear weights are a hat function of the distance between where one looks and where a pixel is.

The attack's step multiplies with both matrices. The graphs of prediction pick two neighbouring rows and mix
them, and multiply for the columns alone: the arithmetic of `kernels.reference.crop`. One core, zoo:nsd's
sizes, batch 32, ms for thumbnail and crop together: as two GridSamples 6.2 on ONNX Runtime and 8.4 on
OpenVINO, so 4.6 and 5.0 (products with both matrices 7, Resize 2.0 and 6.5 for the thumbnail alone).
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


def thumbnail(frames: Tensor, size: int) -> Tensor:
    """The whole frame at `size`: [B, C, H, W] → [B, C, size, size]. H, W ≥ 2."""
    places = centres(size, frames)
    lower, near, far = neighbours(places, frames.shape[2])
    rows = frames.index_select(2, lower) * near[:, None] + frames.index_select(2, lower + 1) * far[:, None]
    return rows @ hat(places, frames.shape[3]).T


def crop(frames: Tensor, box: Tensor, size: int) -> Tensor:
    """[B, C, H, W], [B, 4] → [B, C, size, size], zero outside the frame. H, W ≥ 2."""
    batch, channels, height, width = frames.shape
    u = centres(size, box)
    lower, near, far = neighbours(box[:, 1, None] * u + box[:, 3, None], height)
    images = torch.arange(batch * channels, device=box.device).reshape(batch, channels, 1)
    first = (images * height + lower[:, None]).flatten()  # rows of all images in one list
    lines = frames.reshape(-1, width)
    shape = (batch, channels, size, width)
    rows = lines.index_select(0, first).reshape(shape) * near[:, None, :, None]
    rows = rows + lines.index_select(0, first + 1).reshape(shape) * far[:, None, :, None]
    columns = hat(box[:, 0, None] * u + box[:, 2, None], width)
    return (rows.reshape(batch, -1, width) @ columns.transpose(1, 2)).reshape(batch, channels, size, size)


def neighbours(places: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of `size` ≥ 2 pixels, the two around each normalised place: index of the lower one, weights of the
    lower and the upper one. Outside, whichever of the two is too far away weighs nothing."""
    index = ((places + 1) * size - 1) / 2
    lower = index.floor().clamp(0, size - 2)
    offset = index - lower
    return lower.long(), (1 - offset.abs()).clamp_min(0), (1 - (offset - 1).abs()).clamp_min(0)
