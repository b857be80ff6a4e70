"""Pooling without indices, and averages, against PyTorch's own, values and gradients in float64."""

import pytest
import torch
from torch.nn import functional as F

from dpa.export.pooling import average_pool_backward, max_pool, max_pool_backward

WINDOWS = {
    "the stem's": (3, 2, 1),
    "without a margin": (3, 2, 0),
    "side by side": (2, 2, 0),
    "dense": (3, 1, 1),
}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize("side", [(8, 9), (7, 6)])
@pytest.mark.parametrize("kind", ["any numbers", "mostly ties"])
def test_it_is_max_pool_with_its_gradient(window, side, kind: str) -> None:
    kernel, stride, padding = window
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 3, *side, dtype=torch.float64, generator=generator)
    if kind == "mostly ties":
        x = x.round().clamp(-1, 1)
    x.requires_grad_()
    truth = F.max_pool2d(x, kernel, stride, padding)
    made, _ = max_pool(x, (kernel, kernel), (stride, stride), (padding, padding))
    torch.testing.assert_close(made, truth, rtol=0, atol=0)
    upstream = torch.rand(truth.shape, dtype=torch.float64, generator=generator)
    (expected,) = torch.autograd.grad(truth, x, upstream)
    pairs = ((kernel, kernel), (stride, stride), (padding, padding), (1, 1))
    with torch.no_grad():
        given = max_pool_backward(upstream, x, *pairs, False, torch.zeros(0))
    torch.testing.assert_close(given, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel, stride", [(2, 2), (3, 2), (3, 1)])
@pytest.mark.parametrize("side", [(8, 9), (7, 6)])
def test_it_is_the_gradient_of_average_pooling(side, kernel: int, stride: int) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 3, *side, dtype=torch.float64, generator=generator, requires_grad=True)
    truth = F.avg_pool2d(x, kernel, stride)
    upstream = torch.rand(truth.shape, dtype=torch.float64, generator=generator)
    (expected,) = torch.autograd.grad(truth, x, upstream)
    window = ((kernel, kernel), (stride, stride), (0, 0))
    with torch.no_grad():
        given = average_pool_backward(upstream, x, *window, False, True, None)
    torch.testing.assert_close(given, expected, rtol=1e-12, atol=1e-12)
