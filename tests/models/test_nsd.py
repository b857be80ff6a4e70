"""NSD's batches, swaps and rotation, against geometry worked out with NumPy."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError
from dpa.models.frameworks.nsd import NSD, rotate_pose_code
from dpa.models.frameworks.objective import SynchronisedViews
from dpa.models.frameworks.reconstruction import THRESHOLD, coin_cost, edge_distance, psnr, silhouette_guess


def test_groups_are_two_instants_of_one_sequence(squares: PackedStore) -> None:
    rows = SynchronisedViews(squares, np.arange(len(squares)))(64, np.random.default_rng(0)).reshape(-1, 4)
    for group in rows:
        assert len(set(squares.sequence[group])) == 1
        frame, camera = squares.frame[group], squares.camera[group]
        assert frame[0] == frame[1] != frame[2] == frame[3]
        assert camera[0] != camera[1] and camera[2] != camera[3]


def test_a_pair_of_cameras_is_enough_at_an_instant(squares: PackedStore) -> None:
    """A camera that ends early, or misses a frame, costs no instant that two others saw."""
    rows = np.arange(len(squares))
    first = squares.sequence == squares.sequence[0]
    missing = first & (squares.frame == squares.camera)  # one frame in each of three cameras
    alone = first & (squares.frame == 3) & (squares.camera > 0)
    drawn = SynchronisedViews(squares, rows[~missing & ~alone])
    assert len(drawn.sequences) == len(np.unique(squares.sequence))
    counts = [len(rows) for sequence in drawn.sequences[:1] for rows in sequence]
    assert counts == [2, 2, 2] and all(len(one) == 3 for one in drawn.sequences[1])
    for group in drawn(400, np.random.default_rng(0)).reshape(-1, 2, 2):
        assert len(set(squares.sequence[group.ravel()])) == 1
        assert (squares.frame[group[:, 0]] == squares.frame[group[:, 1]]).all()
        assert (squares.camera[group[:, 0]] != squares.camera[group[:, 1]]).all()
        assert not (missing | alone)[group].any()
    lonely = first & ((squares.camera == 0) | (squares.frame == 0))
    assert len(SynchronisedViews(squares, rows[~first | lonely]).sequences) == len(drawn.sequences) - 1


def test_one_camera_is_refused(squares: PackedStore) -> None:
    with pytest.raises(InputError, match="two cameras"):
        SynchronisedViews(squares, squares.select(cameras=["cam0"]))


def test_rotation_carries_points_between_cameras() -> None:
    rng = np.random.default_rng(1)
    source, target = (Rotation.random(5, random_state=seed).as_matrix() for seed in (1, 2))
    world = rng.normal(size=(5, 200, 3))
    seen = np.einsum("bij,bnj->bni", source, world)
    expected = np.einsum("bij,bnj->bni", target, world)
    turned = rotate_pose_code(
        torch.from_numpy(seen).reshape(5, 600), torch.from_numpy(source), torch.from_numpy(target)
    )
    np.testing.assert_allclose(turned.reshape(5, 200, 3).numpy(), expected, atol=1e-12)


def test_poses_stay_in_their_instant_and_appearance_crosses_it() -> None:
    torch.manual_seed(0)
    pose_from, appearance_from = NSD()._exchange(64, torch.device("cpu"))
    rows = torch.arange(64)
    assert torch.equal(pose_from // 2, rows // 2)
    assert torch.equal(torch.sort(pose_from)[0], rows)
    assert (pose_from != rows).any() and (pose_from == rows).any()
    assert torch.equal(appearance_from // 4, rows // 4)
    assert (appearance_from // 2 != rows // 2).all()


def test_the_swap_can_be_switched_off() -> None:
    _, appearance_from = NSD(swap_appearance=False)._exchange(16, torch.device("cpu"))
    assert torch.equal(appearance_from, torch.arange(16))


def test_edge_distance_ignores_brightness_and_sees_edges() -> None:
    image = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    assert edge_distance(image + 0.3, image) < 1e-25
    step = torch.zeros(1, 3, 16, 16, dtype=torch.float64)
    step[..., 8:] = 1
    # One column of 15 differences is 1 at full size, one of 7 at half, one of 3 at a quarter.
    assert edge_distance(step, torch.zeros_like(step)) == pytest.approx((1 / 15 + 1 / 7 + 1 / 3) / 3)


def test_psnr_of_a_constant_offset() -> None:
    image = torch.full((1, 3, 8, 8), 0.5)
    assert psnr(image + 0.1, image).item() == pytest.approx(20, abs=1e-4)


def test_coin_cost_is_cross_entropy_and_still_pulls_at_an_empty_mask() -> None:
    mask, guess = torch.rand(2, 1, 8, 8) * 0.8 + 0.1, torch.rand(2, 1, 8, 8)
    expected = torch.nn.functional.binary_cross_entropy(mask, guess)
    torch.testing.assert_close(coin_cost(mask, guess), expected, rtol=2e-3, atol=0)
    logit = torch.full((1, 1, 4, 4), -6.0, requires_grad=True)
    coin_cost(logit.sigmoid(), torch.ones(1, 1, 4, 4)).backward()
    assert logit.grad is not None and (logit.grad < -0.9 / 16).all()


def test_a_silhouette_is_where_the_crop_leaves_its_plate() -> None:
    plate = torch.full((1, 3, 8, 8), 0.4)
    crops = plate.clone()
    crops[:, 1, 2:5, 3:6] += 4 * THRESHOLD
    guess = silhouette_guess(crops, plate)
    expected = torch.zeros(1, 1, 8, 8)
    expected[..., 2:5, 3:6] = 1
    torch.testing.assert_close(guess, expected, atol=0.02, rtol=0)
