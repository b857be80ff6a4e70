"""What survives: a network that reads the finest pattern loses it to a blur, one that reads the mean does
not."""

import numpy as np
import pytest
import torch

from dpa.engine.attack.state import Status
from dpa.engine.attack.survival import blurred, jpeg, survival
from dpa.engine.runs.directory import RunDirectory

SIDE = 32


class Reads:
    """predict: a pose whose first coordinates are a figure of the picture, in mm."""

    def __init__(self, figure):
        self.figure = figure

    def predict(self, frames):
        pose = torch.zeros(len(frames), 17, 3)
        pose[:, 1:, 0] = 1000 * self.figure(frames)[:, None]
        return pose


def checker(frames):
    """How strong the finest pattern is."""
    sign = torch.ones(SIDE, SIDE)
    sign[::2, ::2] = sign[1::2, 1::2] = -1
    return (frames.mean(1) * sign).mean((1, 2)).abs()


@pytest.fixture
def attacked(tmp_path):
    """Twelve pictures of grey with a fine pattern, as far from black as from each other."""
    pictures = np.full((12, SIDE, SIDE, 3), 128, dtype=np.uint8)
    pictures[:, ::2, ::2] = pictures[:, 1::2, 1::2] = 60
    status = np.full(12, Status.SUCCESS)
    status[0], status[1] = Status.FAILED, Status.NONFINITE
    with RunDirectory.create(tmp_path / "run", "attack", {}) as run:
        index = np.arange(12)
        run.shard("adversarial", 0, {"index": index, "synthesised": pictures, "adversarial": pictures})
        run.shard("samples.parquet", 0, {
            "index": index, "status": status, "success": status == Status.SUCCESS, "sequence": index // 2,
            "initial_pose": np.zeros((12, 17, 3), dtype=np.float32),
        })  # fmt: skip
    return run


def test_what_is_read_from_everything_survives(attacked):
    told = survival(attacked, Reads(lambda frames: frames.mean((1, 2, 3))), torch.device("cpu"), 100.0)
    assert told["n"] == 11 and told["untreated"] == told["jpeg_90"] == told["blur_0_7"] == 10 / 11
    assert told["jpeg_90_low"] <= told["jpeg_90"] <= told["jpeg_90_high"]


def test_what_hangs_on_the_finest_pattern_does_not(attacked):
    told = survival(attacked, Reads(checker), torch.device("cpu"), 100.0)
    assert told["untreated"] == 10 / 11 and told["blur_0_7"] == 0


def test_the_blur_is_a_gaussian_of_0_7_pixels():
    picture = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    away = np.arange(-4, 5)
    kernel = np.exp(-(away**2) / (2 * 0.7**2))
    wanted = picture.astype(float)
    for axis in (0, 1):
        wanted = np.apply_along_axis(np.convolve, axis, wanted, kernel / kernel.sum(), "same")
    inner = (slice(6, -6), slice(6, -6))
    assert np.abs(blurred(picture)[inner] - wanted[inner]).max() < 1.5


def test_jpeg_changes_a_picture_little():
    picture = np.full((SIDE, SIDE, 3), 128, dtype=np.uint8)
    picture[8:24, 8:24] = (200, 60, 60)
    change = np.abs(jpeg(picture).astype(int) - picture)
    assert jpeg(picture).shape == picture.shape and 0 < change.mean() < 5
