"""Image measures against scikit-image, frame by frame and box by box."""

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from dpa.engine.attack.judge import VALUES_AT_ONCE, similarity
from dpa.engine.attack.summary import finite_mean, subject_order

BOXES = ((0.5, 0.25, 0.2, -0.3), (0.0, 0.0, 1.0, 1.0), (0.3, 1.0, -0.9, 0.0), (2.0, 2.0, 0.0, 0.0))


def pictures(count, height, width, seed=0):
    """Pairs as an attack makes them: smooth, and a part of them changed."""
    dice = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=dice)
    before = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    after = before + 0.2 * torch.randn(count, 3, height, width, generator=dice) * (before > 0.5)
    return [(255 * frames.clamp(0, 1)).round().to(torch.uint8) for frames in (before, after)]


def by_scikit_image(one, other):
    """SSIM, PSNR and MSE of two frames uint8 [3, h, w]."""
    one, other = (frame.permute(1, 2, 0).numpy() / 255 for frame in (one, other))
    ssim = structural_similarity(one, other, channel_axis=-1, data_range=1)
    return ssim, peak_signal_noise_ratio(one, other, data_range=1), mean_squared_error(one, other)


def pixels_of(box, height, width):
    """Slices of the pixels whose centre a box covers, at least 7 and within the frame: (rows, columns)."""
    slices = []
    for scale, centre, length in ((box[1], box[3], height), (box[0], box[2], width)):
        middle, half = (centre + 1) / 2 * length, max(scale * length / 2, 3.5)
        start = min(max(round(middle - half), 0), length - 7)
        slices.append(slice(start, min(max(round(middle + half), start + 7), length)))
    return tuple(slices)


@pytest.mark.parametrize("size", [(24, 20), (40, 48), (7, 31)])
def test_measures_are_scikit_images(size):
    before, after = pictures(len(BOXES), *size)
    found = similarity(before, after, torch.tensor(BOXES))
    for row, box in enumerate(BOXES):
        rows, columns = pixels_of(box, *size)
        whole = by_scikit_image(before[row], after[row])
        inside = by_scikit_image(before[row, :, rows, columns], after[row, :, rows, columns])
        for prefix, expected in (("", whole), ("box_", inside)):
            for name, value in zip(("ssim", "psnr_db", "mse"), expected, strict=True):
                assert float(getattr(found, prefix + name)[row]) == pytest.approx(value, abs=1e-6), name


def test_extremes_are_exact():
    """Black against white, whose sums are the largest; and large frames, whose sums are many."""
    black, white = torch.zeros(1, 3, 9, 9, dtype=torch.uint8), torch.full((1, 3, 9, 9), 255).to(torch.uint8)
    found = similarity(black, white, torch.tensor([BOXES[3]]))
    expected = by_scikit_image(black[0], white[0])
    assert [float(value) for value in (found.ssim, found.psnr_db, found.mse)] == pytest.approx(expected)
    before, after = pictures(1, 600, 500)
    found = similarity(before, after, torch.tensor([BOXES[3]]))
    assert float(found.ssim) == pytest.approx(by_scikit_image(before[0], after[0])[0], abs=1e-7)


def test_frames_in_one_call_or_in_many_are_measured_alike(monkeypatch):
    before, after = pictures(5, 16, 12)
    box = torch.tensor([BOXES[0]] * 5)
    whole = similarity(before, after, box)
    monkeypatch.setattr("dpa.engine.attack.judge.VALUES_AT_ONCE", 2 * 3 * 16 * 12)
    parts = similarity(before, after, box)
    assert VALUES_AT_ONCE > 5 * 3 * 16 * 12
    torch.testing.assert_close(parts.ssim, whole.ssim, rtol=0, atol=1e-12)
    torch.testing.assert_close(parts.box_mse, whole.box_mse, rtol=0, atol=1e-15)


def test_a_box_of_nan_counts_the_middle(stand_in):
    """As a nonfinite sample has it; and nobody waits for the device."""
    before, after = pictures(2, 12, 12)
    found = similarity(before.to(stand_in), after.to(stand_in), torch.full((2, 4), torch.nan).to(stand_in))
    expected = similarity(before, after, torch.zeros(2, 4))
    torch.testing.assert_close(found.box_mse.cpu(), expected.box_mse, rtol=0, atol=0)


def test_equal_pictures_have_infinite_psnr_and_do_not_spoil_the_mean():
    before, _ = pictures(1, 10, 10)
    found = similarity(before, before, torch.tensor([BOXES[0]]))
    assert (float(found.ssim), float(found.psnr_db), float(found.mse)) == (1.0, np.inf, 0.0)
    assert finite_mean(np.array([np.inf, 20.0])) == 20
    assert finite_mean(np.array([np.nan])) is None


def test_subjects_sort_by_number():
    assert sorted(["S11", "S5", "TS1", "S1"], key=subject_order) == ["S1", "S5", "S11", "TS1"]
