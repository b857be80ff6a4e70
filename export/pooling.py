"""Pooling and its backward pass in operations that ONNX and TensorRT have. TensorRT knows no pooling that
tells where the largest pixel was, so the backward pass looks for it again."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = Sequence[int]
aten = torch.ops.aten


def max_pool(
    x: Tensor,
    kernel: Pair,
    stride: Pair = (),
    padding: Pair = (0,),
    dilation: Pair = (1,),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """As aten.max_pool2d_with_indices, [B, C, H, W] → [B, C, h, w], without its indices: zeros in their
    place, which the backward pass below does not read."""
    assert not ceil_mode and all(step == 1 for step in dilation)
    stride = stride or kernel
    views = _views(_padded(x, _pair(padding)), _pair(kernel), _pair(stride))
    largest = next(views)
    for view in views:
        largest = torch.maximum(largest, view)
    return largest, torch.zeros_like(largest, dtype=torch.int64)


def max_pool_backward(
    upstream: Tensor,
    x: Tensor,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """The gradient to x: upstream goes to the first pixel of each window, row by row, that is the largest.

    One plane for each place in a window, put where that place lies by a transposed convolution.
    """
    (rows, columns), step, margin = _pair(kernel), _pair(stride or kernel), _pair(padding)
    largest, _ = max_pool(x, kernel, stride, padding, dilation, ceil_mode)
    free = torch.ones_like(upstream)
    planes = []
    for view in _views(_padded(x, margin), (rows, columns), step):
        here = (view == largest).to(upstream.dtype) * free
        free = free - here
        planes.append(upstream * here)
    batch, channels, height, width = x.shape
    small = (-1, rows * columns, upstream.shape[2], upstream.shape[3])
    places = torch.eye(rows * columns, dtype=x.dtype, device=x.device).reshape(-1, 1, rows, columns)
    missing = [
        int((side + 2 * edge - size) % by)
        for side, edge, size, by in zip((height, width), margin, (rows, columns), step, strict=True)
    ]
    spread: Tensor = aten.convolution(
        torch.stack(planes, dim=2).reshape(small), places, None, step, margin, (1, 1), True, missing, 1
    )
    return spread.reshape(batch, channels, height, width)


def average_pool_backward(
    upstream: Tensor,
    x: Tensor,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """The gradient to x of aten.avg_pool2d without a margin: every pixel of a window has an equal share."""
    (rows, columns), step = _pair(kernel), _pair(stride or kernel)
    assert _pair(padding) == (0, 0) and not ceil_mode and divisor_override is None
    share = torch.full((1, 1, rows, columns), 1 / (rows * columns), dtype=x.dtype, device=x.device)
    missing = [
        int((side - size) % by) for side, size, by in zip(x.shape[2:], (rows, columns), step, strict=True)
    ]
    planes = upstream.reshape(-1, 1, *upstream.shape[2:])
    spread: Tensor = aten.convolution(planes, share, None, step, (0, 0), (1, 1), True, missing, 1)
    return spread.reshape(x.shape)


def _padded(x: Tensor, margin: tuple[int, int]) -> Tensor:
    lowest = torch.finfo(x.dtype).min
    return F.pad(x, (margin[1], margin[1], margin[0], margin[0]), value=lowest)


def _views(padded: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Iterator[Tensor]:
    """[B, C, h, w] of every place in a window, row by row."""
    sides = [(side - size) // by for side, size, by in zip(padded.shape[2:], kernel, stride, strict=True)]
    for top in range(kernel[0]):
        for left in range(kernel[1]):
            rows = slice(top, top + sides[0] * stride[0] + 1, stride[0])
            yield padded[:, :, rows, left : left + sides[1] * stride[1] + 1 : stride[1]]


def _pair(values: Pair) -> tuple[int, int]:
    return values[0], values[-1]
