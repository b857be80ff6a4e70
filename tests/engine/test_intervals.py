"""Intervals of means: how often they hold the truth, and that clips, not frames, are what counts."""

import numpy as np
import pytest

from dpa.engine.intervals import clip_interval, jackknife_interval, mean_interval


def test_holds_the_true_mean_in_about_95_of_100_worlds() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        clip = np.repeat(np.arange(60), 4)
        values = rng.normal(size=60)[clip] + 0.3 * rng.normal(size=240) + 2
        low, high = mean_interval(values, clip) or (0, 0)
        held += low <= 2 <= high
    assert 0.90 <= held / 300 <= 0.985


def test_copies_of_a_frame_make_nothing_more_certain() -> None:
    values = np.random.default_rng(0).normal(size=50)
    once = mean_interval(values, np.arange(50))
    often = mean_interval(np.repeat(values, 20), np.repeat(np.arange(50), 20))
    assert often == pytest.approx(once, abs=1e-9)


def test_is_the_closed_form_for_independent_frames() -> None:
    values = np.random.default_rng(1).normal(3, 2, size=2000)
    low, high = mean_interval(values, np.arange(2000)) or (0, 0)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_what_is_not_finite_is_left_out_and_one_clip_tells_nothing() -> None:
    values = np.array([1.0, np.nan, 3.0, np.inf])
    assert mean_interval(values, np.arange(4)) == mean_interval(values[[0, 2]], np.array([0, 2]))
    assert mean_interval(values, np.zeros(4)) is None
    assert mean_interval(np.array([]), np.array([])) is None


def test_a_mean_by_rows_has_the_interval_of_the_mean():
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(30), 4)
    values = rng.normal(size=30)[clips] + rng.normal(size=120) * 0.1
    plain = mean_interval(values, clips)
    by_rows = clip_interval(lambda rows: float(values[rows].mean()), clips, draws=2000)
    left_out = jackknife_interval(lambda rows: float(values[rows].mean()), float(values.mean()), clips, 30)
    for found in (by_rows, left_out):
        np.testing.assert_allclose(found, plain, atol=0.06)


def test_frames_of_one_clip_tell_nothing():
    one = np.zeros(5, dtype=int)
    assert clip_interval(lambda rows: 1.0, one) is None
    assert jackknife_interval(lambda rows: 1.0, 1.0, one) is None
    assert clip_interval(lambda rows: float("nan"), np.arange(5)) is None
