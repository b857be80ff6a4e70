"""The yardstick from outside: what is counted of what detectors say whose answers are known."""

import importlib.util

import numpy as np
import pytest
import torch

from dpa.engine.detection import (
    ALIKE,
    MARGIN,
    SIDE,
    NoDetector,
    Seen,
    blaze_pose,
    compare,
    enlarged,
    half,
    keypoints,
    measure,
)
from dpa.models.frameworks.base import DisentangledNetwork

BODY = np.array([[60, 20], [40, 20], [70, 50], [30, 50], [75, 70], [25, 70], [55, 60], [45, 60], [55, 80],
                 [45, 80], [55, 95], [45, 95]], dtype=float)  # fmt: skip
"""A torso of 40 pixels."""


def reading(offsets):
    """A detector that answers in turn: the body moved by so many pixels, or nobody for None."""
    answers = iter(offsets)

    def detect(picture):
        assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8
        offset = next(answers)
        return None if offset is None else BODY + np.array([offset, 0])

    return detect


def test_what_is_found_and_what_is_alike() -> None:
    frames, boxes = torch.zeros(5, 3, 8, 8), torch.tensor([[0.5, 0.5, 0.0, 0.0]]).repeat(5, 1)
    # five inputs, then five later frames: still, near, far, nobody, nobody before
    detector = reading([0, 0, 0, 0, None, 0, 0.99 * 40 * ALIKE, 1.01 * 40 * ALIKE, None, 0])
    before, after = (keypoints(detector, frames, boxes) for _ in range(2))
    seen = compare(before, after, np.arange(5))
    assert seen.found_before.tolist() == [True] * 4 + [False]
    np.testing.assert_allclose(seen.shift[:3], [0, 0.99 * ALIKE, 1.01 * ALIKE])
    told = seen.summary()
    assert (told["people"], told["found_in_input"]) == (5, 4)
    assert told["found"] == 3 / 4 and told["alike"] == 2 / 4
    assert told["shift_p50"] == pytest.approx(0.99 * ALIKE)


def test_nobody_in_any_input_has_no_shares() -> None:
    nobody = np.zeros(3, dtype=bool)
    told = Seen(nobody, nobody, np.full(3, np.nan), np.arange(3)).summary()
    assert told["found"] is None and told["alike"] is None and told["shift_p50"] is None


def test_the_interval_is_over_clips() -> None:
    """Eight frames of one clip and eight of another tell two things, not sixteen."""
    found, clips = np.repeat([True, False], 8), np.repeat([0, 1], 8)
    seen = Seen(np.ones(16, dtype=bool), found, np.where(found, 0.0, np.nan), clips)
    told = seen.summary()
    assert told["found"] == 0.5 and (told["found_low"], told["found_high"]) == (0, 1)


def test_the_square_shows_the_box_and_a_margin() -> None:
    frame = torch.zeros(1, 3, 64, 64)
    frame[..., 16:48, 24:40] = 1  # a person twice as tall as wide
    box = torch.tensor([[0.25, 0.5, 0.0, 0.0]])
    (square,) = enlarged(frame, box)
    tall = (square[:, SIDE // 2, 0] > 127).sum()
    assert tall == pytest.approx(SIDE / MARGIN, abs=SIDE / 32)


def test_both_halves_are_whole_clips_and_all_of_them(squares) -> None:
    tuning, final = half(squares, False), half(squares, True)
    assert sorted([*tuning, *final]) == list(range(len(squares)))
    assert len(tuning) and len(final)
    assert not set(squares.sequence[tuning]) & set(squares.sequence[final])


def test_every_stage_is_shown(squares, tiny_sizes) -> None:
    torch.manual_seed(0)
    network = DisentangledNetwork(tiny_sizes, "nsd").eval()
    shown = []

    def detector(picture):
        shown.append(picture.mean())
        return BODY

    def attack(frames, plates, index):
        return torch.zeros_like(frames).to(torch.uint8), torch.full_like(frames, 255).to(torch.uint8)

    seen = measure(network, squares, np.arange(4), detector, attack)
    assert list(seen) == ["synthesised", "adversarial"] and len(seen["adversarial"].shift) == 4
    assert max(shown[4:8]) == 0 and min(shown[8:12]) > 100
    assert list(measure(network, squares, np.arange(4), detector)) == ["synthesised"]


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is not None, reason="mediapipe is installed")
def test_without_its_library_the_detector_says_what_to_install() -> None:
    with pytest.raises(NoDetector, match="detector"):
        blaze_pose()
