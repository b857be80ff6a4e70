"""Bilinear sampling as exported graphs have it: two neighbouring rows are picked and mixed, columns are a
product with a matrix of bilinear weights. A box is axis-aligned, so this is the arithmetic of
`kernels.reference.crop`, in operations that every runtime has fast ones for.

One core, zoo:nsd's sizes, batch 32, ms for thumbnail and crop together: as two GridSamples 6.2 on ONNX
Runtime and 8.4 on OpenVINO, so 4.6 and 5.0 (products with both matrices 7, Resize 2.0 and 6.5 for the
thumbnail alone).
"""

import torch
from torch import Tensor

from dpa.export.gradient_sampling import centres, hat


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
