"""Sampling as matrix products against grid_sample and interpolate, values and gradients in float64."""

import pytest
import torch
from torch.nn import functional as F

from dpa.export.sampling import Doubling, crop_weights, paste_weights, sample
from dpa.kernels.reference import box_grid, crop, inverse_box

BOXES = {
    "inside": (0.4, 0.6, 0.1, -0.2),
    "partly outside": (0.5, 0.5, 0.8, -0.7),
    "wholly outside": (0.2, 0.2, 1.5, 1.5),
    "one pixel": (1 / 17, 1 / 13, 0.0, 0.0),
}


@pytest.fixture(params=BOXES.values(), ids=BOXES.keys())
def box(request):
    return torch.tensor([request.param, (0.5, 0.3, 0.0, 0.1)], dtype=torch.float64)


def test_crop_is_the_reference_crop_with_its_gradients(box):
    torch.manual_seed(0)
    frames = torch.rand(2, 3, 13, 17, dtype=torch.float64, requires_grad=True)
    box.requires_grad_()
    ours, truth = sample(frames, *crop_weights(box, 8, 13, 17)), crop(frames, box, 8)
    torch.testing.assert_close(ours, truth)
    upstream = torch.rand_like(truth)
    for mine, theirs in zip(
        torch.autograd.grad(ours, (frames, box), upstream),
        torch.autograd.grad(truth, (frames, box), upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("border", [False, True])
def test_paste_is_grid_sample_with_the_inverse_box(box, border):
    torch.manual_seed(0)
    crops = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    grid = box_grid(inverse_box(box), (13, 17))
    padding = "border" if border else "zeros"
    truth = F.grid_sample(crops, grid, padding_mode=padding, align_corners=False)
    torch.testing.assert_close(sample(crops, *paste_weights(box, 8, 13, 17, border=border)), truth)


def test_doubling_is_bilinear_interpolation():
    x = torch.rand(2, 3, 5, 5, dtype=torch.float64)
    truth = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    torch.testing.assert_close(Doubling(5, torch.float64)(x), truth)
