"""The ball of natural codes: what a budget is called, projection against a closed form, and optimisers that
step in units of the spread."""

import numpy as np
import pytest
import torch

from dpa.engine.attack.appearance import AppearanceDistribution, BadBudget, fit_appearance, radius_of
from dpa.engine.attack.budget import Ball
from dpa.engine.attack.optimisers import make_update
from dpa.engine.attack.state import fresh_state

SIZE = 5
LIKE = torch.zeros(1, dtype=torch.float64)


@pytest.fixture(scope="module")
def real() -> AppearanceDistribution:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(3000, SIZE)) * (0.2, 0.5, 1, 2, 5) + 3
    return fit_appearance(codes, np.arange(3000) % 60, np.arange(3000) % 5)


def test_names_of_budgets(real: AppearanceDistribution) -> None:
    assert radius_of("none")(real) is None
    assert radius_of("0.95")(real) == np.quantile(real.radii, 0.95)
    assert radius_of("max")(real) == real.radius(real.codes).max()
    assert radius_of("2max")(real) == pytest.approx(2 * real.farthest)
    assert radius_of("0.5max")(real) == pytest.approx(real.farthest / 2)


@pytest.mark.parametrize("text", ["", "0", "1", "1.5", "-1", "nan", "most", "0max", "1.2.3max", "max2"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(BadBudget, match="budget"):
        radius_of(text)


def test_the_share_of_held_out_codes_inside_is_the_budget(real: AppearanceDistribution) -> None:
    ball = Ball.of(real, "0.8", LIKE)
    held_out = torch.from_numpy(real.codes[~real.fitted])
    assert (ball.distance(held_out) <= ball.radius).double().mean() == pytest.approx(0.8, abs=0.002)


def test_projection_is_the_nearest_point_of_the_ball(real: AppearanceDistribution) -> None:
    """Nearest by Mahalanobis distance, on the ray from the mean; codes inside keep their bits."""
    ball = Ball.of(real, "0.5", LIKE)
    codes = torch.from_numpy(np.random.default_rng(1).normal(size=(200, SIZE)) * 10)
    made = ball.inside(codes)
    inverse = np.linalg.inv(real.covariance)
    gap = codes.numpy() - real.mean
    length = np.sqrt(np.einsum("ni,ij,nj->n", gap, inverse, gap))
    expected = real.mean + gap * np.minimum(1, ball.radius / length)[:, None]
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-5, atol=1e-5)
    assert (real.radius(made.numpy()) <= ball.radius).all()
    within = torch.from_numpy(length <= ball.radius)
    assert torch.equal(made[within], codes[within])


def test_single_precision_stays_inside(real: AppearanceDistribution) -> None:
    ball = Ball.of(real, "0.95", torch.zeros(1))
    codes = 100 * torch.randn(5000, SIZE, generator=torch.Generator().manual_seed(0))
    assert (real.radius(ball.inside(codes).double().numpy()) <= ball.radius).all()


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "sign", "polyak"])
def test_a_step_means_the_same_whatever_the_units(real: AppearanceDistribution, optimiser: str) -> None:
    """Two networks whose codes differ by a scale move by the same number of spreads, along gradients that
    differ by that scale."""
    scaled = fit_appearance(real.codes * 7, np.arange(3000) % 60, np.arange(3000) % 5)
    update = make_update(optimiser, 0.5, 175.0)
    start = torch.from_numpy(real.codes[:20])
    gradient = torch.randn(20, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    error = torch.full((20,), 30.0, dtype=torch.float64)
    places = []
    for distribution, times in ((real, 1.0), (scaled, 7.0)):
        ball = Ball.of(distribution, "none", LIKE)
        h_a, state = start * times, fresh_state(start)
        for _ in range(3):
            h_a, state = ball.around(update)(h_a, gradient / times, error, state)
        places.append(distribution.whitened(h_a.numpy()))
    np.testing.assert_allclose(places[0], places[1], rtol=1e-4, atol=1e-4)


def test_a_whitened_unit_step_moves_by_one_spread(real: AppearanceDistribution) -> None:
    ball = Ball.of(real, "none", LIKE)
    at = torch.from_numpy(real.codes[:10])
    step = torch.nn.functional.normalize(torch.ones(10, SIZE, dtype=torch.float64))
    moved = ball.moved(at, step)
    gap = real.whitened(moved.numpy()) - real.whitened(at.numpy())
    np.testing.assert_allclose(np.linalg.norm(gap, axis=1), 1, rtol=1e-9)


def test_ascent_in_the_ball_ends_at_its_closed_form_optimum(real: AppearanceDistribution) -> None:
    """A linear error g·h is largest over |W(h − m)| ≤ R at m + R·Σg/√(gᵀΣg)."""
    ball = Ball.of(real, "0.95", LIKE)
    gradient = torch.tensor([[1.0, -2.0, 0.5, 0.3, 0.1]], dtype=torch.float64)
    update = ball.around(make_update("sgd", 0.3, 1e9))
    h_a, state = torch.from_numpy(real.codes[:1]), fresh_state(torch.zeros(1, SIZE, dtype=torch.float64))
    for _ in range(400):
        h_a, state = update(h_a, gradient, torch.zeros(1), state)
    g = gradient[0].numpy()
    pulled = real.covariance @ g
    best = real.mean + ball.radius * pulled / np.sqrt(g @ pulled)
    assert float(g @ (h_a[0].numpy() - real.mean)) == pytest.approx(float(g @ (best - real.mean)), rel=1e-3)
