"""The optimisers as pure functions against torch.optim, sample by sample."""

import pytest
import torch

from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.optimisers import make_update
from dpa.engine.attack.state import OptimiserState, fresh_state


def oracle(name, start, gradients, step_size):
    """torch.optim on one sample alone, uphill."""
    h_a = start.clone().requires_grad_()
    if name == "adam":
        optimiser = torch.optim.Adam([h_a], lr=step_size, maximize=True)
    else:
        optimiser = torch.optim.SGD([h_a], lr=step_size, momentum=0.9, maximize=True)
    for gradient in gradients:
        h_a.grad = gradient / gradient.norm() if name == "sgd" else gradient.clone()
        optimiser.step()
    return h_a.detach()


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_agrees_with_torch_optim_for_samples_that_join_at_different_steps(name, dtype, tolerance):
    torch.manual_seed(0)
    start, gradients = torch.randn(3, 6, dtype=dtype), torch.randn(12, 3, 6, dtype=dtype) * 50
    update = make_update(name, 0.5, 175)
    h_a, state = start[:2], fresh_state(start[:2])
    for step, gradient in enumerate(gradients):
        if step == 4:  # the third sample joins
            h_a = torch.cat([h_a, start[2:]])
            state = OptimiserState.cat([state, fresh_state(start[2:])])
        h_a, state = update(h_a, gradient[: len(h_a)], torch.zeros(len(h_a)), state)
    for sample, joined in ((0, 0), (1, 0), (2, 4)):
        expected = oracle(name, start[sample], gradients[joined:, sample], 0.5)
        torch.testing.assert_close(h_a[sample], expected, rtol=tolerance, atol=tolerance)
    assert state.step.tolist() == [12, 12, 8]


def test_sign_moves_every_coordinate_by_the_step():
    h_a = torch.zeros(1, 3)
    gradient = torch.tensor([[3.0, -0.001, 0.0]])
    moved, _ = make_update("sign", 0.25, 175)(h_a, gradient, torch.zeros(1), fresh_state(h_a))
    assert moved.tolist() == [[0.25, -0.25, 0.0]]


@pytest.mark.parametrize("name", ["adam", "sgd", "sign", "polyak"])
def test_a_zero_gradient_moves_nothing(name):
    h_a = torch.ones(2, 3)
    moved, _ = make_update(name, 0.5, 175)(h_a, torch.zeros(2, 3), torch.zeros(2), fresh_state(h_a))
    assert torch.equal(moved, h_a)


def test_polyak_halves_the_gap_of_a_linear_error_sample_by_sample():
    """error = 100·x and error = 20·x, goal 90 + 10 mm: from 0 the first step is half of gap / slope, the
    second one half of what is left and half of the first."""
    slope = torch.tensor([[100.0], [20.0]])
    update, h_a = make_update("polyak", 100.0, 90), torch.zeros(2, 1)
    h_a, state = update(h_a, slope, (slope * h_a)[:, 0], fresh_state(h_a))
    torch.testing.assert_close(h_a, 50 / slope)
    h_a, state = update(h_a, slope, (slope * h_a)[:, 0], state)
    torch.testing.assert_close(h_a, (50 + 25 + 25) / slope)


def test_polyak_never_steps_further_than_its_step_size_nor_backwards():
    h_a = torch.zeros(2, 2)
    gradient, error = torch.tensor([[3.0, 4.0], [3.0, 4.0]]), torch.tensor([0.0, 500.0])
    moved, _ = make_update("polyak", 2.0, 175)(h_a, gradient, error, fresh_state(h_a))
    torch.testing.assert_close(moved, torch.tensor([[1.2, 1.6], [0.06, 0.08]]))


def test_each_optimiser_has_its_own_default_step():
    assert AttackConfig().step_size == 6
    assert AttackConfig(optimiser="adam").step_size == 0.5
    assert AttackConfig(optimiser="sign").step_size == 0.25
    assert AttackConfig(optimiser="sgd", step_size=3).step_size == 3
