"""The PyTorch twin against a NumPy loop over pixels that shares no code with it, and finite differences."""

import math

import numpy as np
import pytest
import torch

from dpa.kernels import WHOLE_FRAME, reference


def tap(image, y, x, border):
    """One bilinear sample of image [H, W] at pixel position (y, x); pixel centres are whole numbers."""
    height, width = image.shape
    if border:
        y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    total, y0, x0 = 0.0, math.floor(y), math.floor(x)
    for row in (y0, y0 + 1):
        for column in (x0, x0 + 1):
            if 0 <= row < height and 0 <= column < width:
                total += image[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def composite_by_pixel(rgb, mask, box, plate):
    """rgb [3, s, s], mask [s, s], box [4], plate [3, H, W] → [3, H, W]."""
    s, (_, height, width) = rgb.shape[-1], plate.shape
    sx, sy, tx, ty = box
    out = np.empty_like(plate)
    for row in range(height):
        for column in range(width):
            u = ((2 * column + 1) / width - 1 - tx) / sx
            v = ((2 * row + 1) / height - 1 - ty) / sy
            y, x = ((v + 1) * s - 1) / 2, ((u + 1) * s - 1) / 2
            m = tap(mask, y, x, border=False)
            for c in range(3):
                out[c, row, column] = m * tap(rgb[c], y, x, border=True) + (1 - m) * plate[c, row, column]
    return out


def crop_by_pixel(frame, box, size):
    """frame [3, H, W], box [4] → [3, size, size]."""
    _, height, width = frame.shape
    sx, sy, tx, ty = box
    out = np.empty((3, size, size))
    for i in range(size):
        for j in range(size):
            y = ((sy * ((2 * i + 1) / size - 1) + ty + 1) * height - 1) / 2
            x = ((sx * ((2 * j + 1) / size - 1) + tx + 1) * width - 1) / 2
            for c in range(3):
                out[c, i, j] = tap(frame[c], y, x, border=False)
    return out


@pytest.mark.parametrize(
    "name", ["odd sizes", "person partly outside", "view partly outside", "view of one pixel", "mirrored"]
)
def test_twin_equals_the_loop_over_pixels(case, name):
    given = case(name, batch=2).double()
    frames = reference.composite(*given[:5])
    crops = reference.composite_crop(*given)
    for n in range(2):
        rgb, mask, box_from, box_to = (t[n].numpy() for t in given.leaves())
        frame = composite_by_pixel(rgb, mask[0], box_from, given.plates[given.plate_index[n]].numpy())
        np.testing.assert_allclose(frames[n].numpy(), frame, atol=1e-12)
        np.testing.assert_allclose(crops[n].numpy(), crop_by_pixel(frame, box_to, given.size), atol=1e-12)


def test_whole_frame_box_is_the_identity_at_the_frames_own_size():
    frames = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    box = torch.tensor([WHOLE_FRAME, WHOLE_FRAME], dtype=torch.float64)
    torch.testing.assert_close(reference.crop(frames, box, 12), frames)


def test_nothing_of_the_person_outside_the_mask(case):
    given = case("odd sizes")
    frames = reference.composite(given.rgb, given.mask * 0, given.box_from, given.plates, given.plate_index)
    assert torch.equal(frames, given.plates[given.plate_index])


@pytest.mark.parametrize("name", ["odd sizes", "person partly outside", "enlarged"])
def test_gradients_of_the_twin_by_finite_differences(case, name):
    given = case(name, batch=2).double().with_gradients()
    # small steps: a box that moves by more crosses a pixel centre, where the derivative jumps
    assert torch.autograd.gradcheck(
        lambda rgb, mask, a, b: reference.composite_crop(
            rgb, mask, a, given.plates, given.plate_index, b, given.size
        ),
        given.leaves(),
        eps=1e-7,
        atol=1e-5,
        fast_mode=True,
    )
