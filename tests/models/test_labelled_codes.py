"""The crops that a regressor is fitted on: their spread, their softness and their order."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.regressor import Regressor
from dpa.models.training.batches import split_sequences
from dpa.models.training.checkpoint import save_network
from dpa.models.training.config import TrainConfig
from dpa.models.training.regressor_fit import (
    NoPoses,
    RegressorConfig,
    fit_on_store,
    jittered,
    pose_codes,
    softened,
    varied_codes,
)
from dpa.models.training.validation import validate


def test_jittered_boxes_have_the_spread_that_was_asked() -> None:
    torch.manual_seed(0)
    box = torch.tensor([[0.5, 0.25, 0.1, -0.2]]).expand(20_000, 4)
    near = jittered(box, 0.1)
    scale = (near[:, :2] / box[:, :2]).log()
    shift = (near[:, 2:] - box[:, 2:]) / box[:, :2]
    for draws in (scale, shift):
        torch.testing.assert_close(draws.mean(0), torch.zeros(2), atol=0.004, rtol=0)
        torch.testing.assert_close(draws.std(0), torch.full((2,), 0.1), atol=0.004, rtol=0)


def test_softened_crops_lie_between_themselves_and_their_local_mean() -> None:
    torch.manual_seed(0)
    crops = torch.rand(64, 3, 8, 8, dtype=torch.float64)
    blurred = uniform_filter(crops.numpy(), (0, 0, 3, 3), mode="nearest")
    share = ((softened(crops) - crops).numpy() / (blurred - crops.numpy())).reshape(64, -1)
    np.testing.assert_allclose(share, share[:, :1].repeat(share.shape[1], 1), atol=1e-6)
    assert 0 <= share.min() < 0.1 and 0.9 < share.max() <= 1


def test_the_first_crop_is_the_localisers_own(squares: PackedStore, tiny_config: NetworkConfig) -> None:
    network, rows = DisentangledNetwork(tiny_config, "nsd"), np.arange(5)
    plain, varied = pose_codes(network, squares, rows), varied_codes(network, squares, rows, 3, 0.1)
    assert torch.equal(varied.codes[:5], plain.codes)
    assert torch.equal(varied.poses, plain.poses.repeat(3, 1, 1))
    assert not torch.allclose(varied.codes[5:10], plain.codes)
    assert not torch.allclose(varied.codes[5:10], varied.codes[10:])


@pytest.fixture
def films(squares: PackedStore) -> PackedStore:
    """The squares as films: nobody knows their poses."""
    films = copy.copy(squares)
    object.__setattr__(films, "poses", np.full_like(squares.poses, np.nan))
    return films


def test_films_without_poses_lend_no_labels(
    films: PackedStore, tiny_config: NetworkConfig, tmp_path: Path
) -> None:
    network = DisentangledNetwork(tiny_config, "nsd")
    save_network(network, tmp_path, {})
    with pytest.raises(NoPoses, match="have no pose"):
        fit_on_store(network, tmp_path, films, RegressorConfig(fraction=1.0), lambda *_: None)


def test_a_fit_tells_how_far_it_is(squares: PackedStore, tiny_config: NetworkConfig, tmp_path: Path) -> None:
    network = DisentangledNetwork(tiny_config, "nsd")
    save_network(network, tmp_path, {})
    told: list[tuple[str, int, int, str]] = []
    config = RegressorConfig(fraction=1.0, crops=3, steps=120, batch=16)
    fit_on_store(network, tmp_path, squares, config, lambda *progress: told.append(progress))
    trained, _ = split_sequences(squares, TrainConfig().held_out, 0)
    reading, fitting = (
        [progress[1:] for progress in told if progress[0].startswith(what)] for what in ("reading", "fitting")
    )
    crops = 3 * len(trained)
    assert [done for done, _, _ in reading] == [crops // 3, 2 * crops // 3, crops]
    assert {total for _, total, _ in reading} == {crops}
    assert [progress[:2] for progress in fitting] == [(100, 120), (120, 120)]
    assert all(note.endswith(" mm") and float(note[:-3]) > 10 for _, _, note in fitting)


def test_films_without_poses_are_validated_without_them(
    films: PackedStore, tiny_config: NetworkConfig
) -> None:
    network = DisentangledNetwork(tiny_config, "nsd")
    network.regressor = Regressor(tiny_config).eval()
    assert set(validate(network, films, np.arange(6)).summary()) == {"psnr_db", "box_iou"}
