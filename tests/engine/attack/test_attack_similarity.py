"""Image measures against their formulas in NumPy."""

import numpy as np
import pytest

from dpa.engine.attack.judge import compare_pictures, inside_box
from dpa.engine.attack.summary import finite_mean, subject_order


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    return before, np.clip(before.astype(int) + rng.integers(-20, 20, before.shape), 0, 255).astype(np.uint8)


def ssim_by_hand(one, other):
    """Wang et al. (2004) with a 7×7 uniform window, unbiased covariances, mean over inner pixels and
    channels, data range 1."""
    values = []
    for y in range(3, one.shape[0] - 3):
        for x in range(3, one.shape[1] - 3):
            for channel in range(3):
                a, b = (image[y - 3 : y + 4, x - 3 : x + 4, channel].ravel() for image in (one, other))
                (va, cov), (_, vb) = np.cov(a, b)
                numerator = (2 * a.mean() * b.mean() + 1e-4) * (2 * cov + 9e-4)
                values.append(numerator / ((a.mean() ** 2 + b.mean() ** 2 + 1e-4) * (va + vb + 9e-4)))
    return np.mean(values)


def test_measures_follow_their_formulas(pictures):
    before, after = pictures
    found = compare_pictures(before, after)
    mse = np.mean((before / 255 - after / 255) ** 2)
    assert found.mse == pytest.approx(mse)
    assert found.psnr_db == pytest.approx(-10 * np.log10(mse))
    assert found.ssim == pytest.approx(ssim_by_hand(before / 255, after / 255))


def test_equal_pictures_have_infinite_psnr_and_do_not_spoil_the_mean(pictures):
    found = compare_pictures(pictures[0], pictures[0])
    assert (found.ssim, found.mse, found.psnr_db) == (1.0, 0.0, np.inf)
    assert finite_mean(np.array([found.psnr_db, 20.0])) == 20
    assert finite_mean(np.array([np.nan])) is None


@pytest.mark.parametrize("box", [(0.5, 0.25, 0.2, -0.3), (0.0, 0.0, 1.0, 1.0), (0.3, 1.0, -0.9, 0.0)])
def test_a_box_cuts_the_pixels_that_it_covers(box):
    height, width = 40, 48
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    cut = inside_box(np.stack([x, y, x], axis=-1).astype(np.uint8), np.array(box))
    assert cut.shape[0] >= 7
    assert cut.shape[1] >= 7
    left, right = ((np.array([-1, 1]) * box[0] + box[2] + 1) / 2 * width).clip(0, width)
    if right - left >= 7:
        assert cut[0, 0, 0] == pytest.approx(left, abs=1)
        assert cut[0, -1, 0] + 1 == pytest.approx(right, abs=1)


def test_subjects_sort_by_number():
    assert sorted(["S11", "S5", "TS1", "S1"], key=subject_order) == ["S1", "S5", "S11", "TS1"]
