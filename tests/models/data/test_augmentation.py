"""Augmentations against NumPy: what they may change, by how much, and what the loss still asks for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from dpa.models.data import augmentation
from dpa.models.data.augmentation import AugmentationRanges, make_augmentation
from dpa.models.data.store import PackedStore
from dpa.models.frameworks import make_objective
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.batches import BatchSource
from dpa.models.training.config import TrainConfig

KINDS = ("rgb-jitter", "augmix", "cutmix")
RANGES = AugmentationRanges()


@pytest.fixture
def crops() -> Tensor:
    return torch.rand(64, 3, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def apply(kind: str, crops: Tensor, seed: int = 0, ranges: AugmentationRanges = RANGES) -> Tensor:
    torch.manual_seed(seed)
    augment = make_augmentation(kind, ranges)  # type: ignore[arg-type]
    assert augment is not None
    return augment(crops)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_and_the_range_is_kept(kind: str, crops: Tensor) -> None:
    first, again, other = (apply(kind, crops, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == crops.shape and first.min() >= 0 and first.max() <= 1
    assert not torch.equal(first, crops)


def test_rgb_jitter_is_a_line_for_each_channel_of_each_sample(crops: Tensor) -> None:
    middle = 0.4 + 0.2 * crops
    jittered = apply("rgb-jitter", middle).numpy().reshape(64 * 3, -1)
    lines = [np.polyfit(x, y, 1) for x, y in zip(middle.numpy().reshape(64 * 3, -1), jittered, strict=True)]
    gain, offset = np.array(lines).T
    np.testing.assert_allclose(
        gain[:, None] * middle.numpy().reshape(192, -1) + offset[:, None], jittered, atol=1e-9
    )
    assert gain.min() >= 0.6 and gain.max() <= 1.4 and np.abs(offset).max() <= 0.1
    assert gain.min() < 0.65 and gain.max() > 1.35 and np.abs(offset).max() > 0.09
    assert len(np.unique(gain.round(9))) == 192
    assert gain.mean() == pytest.approx(1, abs=0.06) and offset.mean() == pytest.approx(0, abs=0.015)


def test_cutmix_pastes_one_rectangle_of_another_crop(crops: Tensor) -> None:
    own = torch.arange(64.0).reshape(64, 1, 1, 1).expand(64, 3, 12, 12) / 64
    cut = (apply("cutmix", own, ranges=AugmentationRanges(cut=0.5)) * 64).round().int().numpy()
    shares = []
    for number, picture in enumerate(cut):
        assert (picture == picture[0]).all()
        foreign = picture[0] != number
        shares.append(foreign.mean())
        if foreign.any():
            assert len(np.unique(picture[0][foreign])) == 1
            assert np.array_equal(foreign, foreign.any(1)[:, None] & foreign.any(0)[None])
    assert max(shares) <= 0.5 + 2 / 12 and np.mean(shares) > 0.05


def test_augmix_without_a_mixture_is_the_crop(crops: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains of an operation that does nothing mix to the crop: all the weights sum to one."""
    monkeypatch.setattr(augmentation, "OPERATIONS", (lambda x, strength: x,))
    torch.testing.assert_close(apply("augmix", crops), crops)


def numpy_blur(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    return np.mean([padded[:, :, i : i + 12, j : j + 12] for i in range(3) for j in range(3)], axis=0)


ORACLES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "autocontrast": lambda x, t: (
        (x - x.min((2, 3), keepdims=True)) / (x.max((2, 3), keepdims=True) - x.min((2, 3), keepdims=True))
    ),
    "brightness": lambda x, t: x + x * t / 2,
    "contrast": lambda x, t: x + (x - x.mean((1, 2, 3), keepdims=True)) * t / 2,
    "saturation": lambda x, t: x + (x - x.mean(1, keepdims=True)) * t,
    "sharpness": lambda x, t: x + (x - numpy_blur(x)) * t,
    "posterise": lambda x, t: np.rint(x * np.rint(18 + 14 * t)) / np.rint(18 + 14 * t),
    "solarise": lambda x, t: np.where(x > 0.75 + t / 4, 1 - x, x),
}


@pytest.mark.parametrize("operation", augmentation.OPERATIONS, ids=lambda operation: operation.__name__)
def test_operations_against_numpy(operation: Callable[[Tensor, Tensor], Tensor], crops: Tensor) -> None:
    strength = (
        2 * torch.rand(64, 1, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 1
    )
    expected = ORACLES[operation.__name__](crops.numpy(), strength.numpy())
    np.testing.assert_allclose(operation(crops, strength).numpy(), expected, atol=1e-12)


def test_none_is_no_augmentation() -> None:
    assert make_augmentation("none", RANGES) is None


@pytest.mark.parametrize("framework", ["nsd", "cssl", "drnet"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_sees_augmented_crops_and_the_target_is_plain(
    framework: str, kind: str, squares: PackedStore, tiny_config: NetworkConfig
) -> None:
    config = TrainConfig.model_validate({"framework": framework, "augment": kind})
    network = DisentangledNetwork(tiny_config, framework).eval()
    objective = make_objective(config, tiny_config.pose_dim)
    seen: list[Tensor] = []
    encode = network.encode
    network.encode = lambda crops: seen.append(crops) or encode(crops)  # type: ignore[method-assign, func-returns-value]
    batch = BatchSource(squares, torch.device("cpu")).batch(np.arange(16))
    torch.manual_seed(0)
    outcome = objective.forward(network, batch)
    plain = network.crop(batch.frames, network.localise(batch.frames))
    torch.testing.assert_close(outcome.target, plain.detach())
    assert (seen[0] - plain).abs().max() > 0.01
