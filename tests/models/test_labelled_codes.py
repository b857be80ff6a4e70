"""The crops that a regressor is fitted on: their spread, their softness and their order."""

import numpy as np
import torch
from scipy.ndimage import uniform_filter

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.labelled_codes import jittered, pose_codes, softened, varied_codes


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
