"""The whole attack on a linear network, where the outcome is known by hand: MPJPE is the change of a
grey level, the gradient is 1, and Adam and sign move by exactly one step size an iteration."""

import numpy as np
import pytest
import torch

from dpa.engine.attack.algorithm import TrainingMode, appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.state import Status


def attack(network, frames, progress=None, **config):
    plates = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    index = torch.zeros(len(frames), dtype=torch.int64)
    settings = AttackConfig(**{"backend": "eager", "optimiser": "adam"} | config)
    return appearance_attack(network, network, frames, plates, index, settings, progress=progress)


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("optimiser", ["adam", "sign"])
def test_reaches_the_closed_form_outcome(linear_network, grey_frames, optimiser, batch):
    """From an offset of 3 levels in steps of 2, error 3 + 2k exceeds 40 first at k = 19."""
    result = attack(
        linear_network(offset=3),
        grey_frames(10, 100, 150, 60, 20),
        min_error_mm=40,
        optimiser=optimiser,
        step_size=2,
        batch=batch,
    )
    assert result.index.tolist() == [0, 1, 2, 3, 4]
    assert result.success.all()
    assert result.iterations.tolist() == [19] * 5
    np.testing.assert_allclose(result.initial_error_mm, 3, atol=1e-9)
    np.testing.assert_allclose(result.final_error_mm, 41, atol=1e-9)
    np.testing.assert_allclose(result.h_a[:, 0], np.array([10, 100, 150, 60, 20]) + 41, atol=1e-4)
    assert (result.adversarial_frame[:, 0, 0, 0] == torch.tensor([51, 141, 191, 101, 61])).all()
    assert (result.initial_frame[:, 0, 0, 0] == torch.tensor([13, 103, 153, 63, 23])).all()
    np.testing.assert_allclose(result.trace[:, :20], np.tile(3 + 2 * np.arange(20), (5, 1)), atol=1e-4)
    assert result.trace[:, 20:].isnan().all()
    assert result.backwards.tolist() == [20] * 5
    assert result.forwards.tolist() == [22] * 5  # 20 steps, the judge before and after


def test_momentum_follows_its_geometric_series(linear_network, grey_frames):
    """After k updates of unit gradients momentum 0.9 has moved by η·Σ(1 − 0.9^i)/0.1, i = 1..k."""
    moved = np.cumsum(0.5 * (1 - 0.9 ** np.arange(1, 30)) / 0.1)
    result = attack(
        linear_network(offset=1), grey_frames(50), min_error_mm=40.25, optimiser="sgd", step_size=0.5
    )
    k = int(np.argmax(np.rint(1 + moved) > 40.25)) + 1
    assert result.iterations.item() == k
    np.testing.assert_allclose(result.h_a.item(), 51 + moved[k - 1], atol=1e-6)


def test_a_failed_sample_returns_its_best(linear_network, grey_frames):
    """White is at most 255: from 200 the error cannot exceed 55, and steps of 10 pass it after 6."""
    result = attack(linear_network(offset=1), grey_frames(200), min_error_mm=80, step_size=10, max_steps=30)
    assert not result.success.item()
    assert result.status.item() == Status.FAILED
    assert result.iterations.item() == 30
    np.testing.assert_allclose(result.final_error_mm.item(), 55, atol=1e-9)
    assert result.h_a.item() == pytest.approx(261, abs=1e-3)


def test_the_best_of_a_failed_sample_is_not_its_last(linear_network, grey_frames):
    """The pose folds back beyond level 120: the error falls again, and the best stays at the fold."""
    network = linear_network(offset=1)
    straight = network.regress
    network.regress = lambda h_p: straight(torch.where(h_p > 120, 240 - h_p, h_p))
    result = attack(network, grey_frames(100), min_error_mm=50, optimiser="sgd", step_size=3, max_steps=9)
    assert not result.success.item()
    assert 110 < result.h_a.item() < 131
    assert result.final_error_mm.item() == pytest.approx(np.nanmax(result.trace.numpy()), abs=1)


def test_the_judge_refuses_what_the_target_does_not_confirm(linear_network, grey_frames):
    """The step sees the full change of level; `predict` admits a quarter of it."""
    network, frames = linear_network(offset=1), grey_frames(100)
    honest = network.predict
    unmoved = honest(frames)
    network.predict = lambda seen: unmoved + 0.25 * (honest(seen) - unmoved)
    result = attack(network, frames, min_error_mm=60, step_size=1, max_steps=100)
    assert not result.success.any()
    np.testing.assert_allclose(result.final_error_mm, 0.25 * 101, atol=1e-9)
    assert result.forwards.item() == 101 + 41 + 2  # asked again at each of the errors 61 to 101


def test_a_nonfinite_neighbour_is_frozen_and_disturbs_nobody(linear_network, grey_frames):
    network = linear_network(offset=1, breaks_at=200.5)
    frames = grey_frames(50, 180, 60, 70)
    config = {"min_error_mm": 40, "step_size": 1, "batch": 4}
    together = attack(network, frames, **config)
    assert together.status.tolist() == [Status.SUCCESS, Status.NONFINITE, Status.SUCCESS, Status.SUCCESS]
    assert together.success.tolist() == [True, False, True, True]
    assert together.h_a[1].item() == pytest.approx(200, abs=1e-3)
    assert together.final_error_mm[1].item() == pytest.approx(20, abs=1e-3)
    alone = attack(network, frames[[0, 2, 3]], **config)
    healthy = together.take(torch.tensor([0, 2, 3]))
    for name in ("h_a", "final_error_mm", "iterations", "adversarial_frame", "final_pose"):
        torch.testing.assert_close(getattr(healthy, name), getattr(alone, name), rtol=0, atol=0)


def test_a_nonfinite_start_never_enters_a_slot(linear_network, grey_frames):
    frames = grey_frames(50, 60).clone()
    frames[1, 0, 3, 3] = torch.nan
    seen = []
    result = attack(
        linear_network(), frames, min_error_mm=40, step_size=1, progress=lambda *done: seen.append(done)
    )
    assert result.status.tolist() == [Status.SUCCESS, Status.NONFINITE]
    assert result.iterations.tolist()[0] == 40
    assert seen == [(1, 0), (2, 1)]


def test_a_frame_whose_reconstruction_already_fails_is_no_success(linear_network, grey_frames):
    result = attack(linear_network(offset=50), grey_frames(100), min_error_mm=40)
    assert not result.success.item() and result.status.item() == Status.STARTED_ABOVE
    for error in (result.initial_error_mm, result.final_error_mm, result.trace[0, :1]):
        assert error.item() == pytest.approx(50)
    assert result.iterations.item() == 0
    assert torch.equal(result.adversarial_frame, result.initial_frame)


def test_no_steps_at_all_hands_the_start_back(linear_network, grey_frames):
    result = attack(linear_network(offset=2), grey_frames(100), min_error_mm=40, max_steps=0)
    assert (result.iterations.item(), result.status.item()) == (0, Status.FAILED)
    assert result.final_error_mm.item() == pytest.approx(2)


def test_an_injected_prediction_is_the_reference(linear_network, grey_frames):
    network, frames = linear_network(offset=1), grey_frames(100)
    plates, index = torch.zeros(1, 3, 8, 8, dtype=torch.float64), torch.zeros(1, dtype=torch.int64)
    moved = appearance_attack(
        network,
        network,
        frames,
        plates,
        index,
        AttackConfig(backend="eager", max_steps=0),
        initial_pose=lambda seen: network.predict(seen - 20 / 255),
    )
    assert moved.initial_error_mm.item() == pytest.approx(21)


def test_a_network_in_training_mode_is_refused(linear_network, grey_frames):
    with pytest.raises(TrainingMode, match="eval"):
        attack(linear_network().train(), grey_frames(1))


def test_a_sample_without_gradient_was_not_attacked(linear_network, grey_frames):
    """Its pose cannot be reached, so that it stays where it is says nothing of the network."""
    network = linear_network(offset=1)
    regress = network.regress
    network.regress = lambda code: regress(code.detach()) + 0 * code.sum()
    result = attack(network, grey_frames(50, 60), min_error_mm=40, step_size=1, max_steps=5)
    assert result.status.tolist() == [Status.NO_GRADIENT] * 2 and not result.success.any()
