"""Distance correlation against the textbook's matrices, the package dcor, closed cases, and its memory."""

import tracemalloc

import dcor
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpa.engine.analysis.distance_correlation import (
    bias_corrected_correlation,
    distance_correlation,
    distance_moments,
    moments_of,
    pairwise_distances,
    permutation_null,
)


def textbook(x, y):
    """Double centring of the full matrices, word for word."""

    def centred(z):
        d = np.sqrt(((z[:, None] - z[None]) ** 2).sum(-1))
        return d - d.mean(0) - d.mean(1)[:, None] + d.mean()

    a, b = centred(x), centred(y)
    return np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))


@pytest.fixture
def pair():
    """(n) → two dependent samples of 5 and 9 dimensions far from the origin."""

    def make(n):
        rng = np.random.default_rng(n)
        x = rng.normal(size=(n, 5))
        return x + 40, np.tanh(x @ rng.normal(size=(5, 9))) + 0.5 * rng.normal(size=(n, 9)) - 7

    return make


@given(n=st.integers(4, 90), block=st.integers(1, 100))
@settings(max_examples=40, deadline=None)
def test_blocks_change_nothing(n, block):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 6))
    blocked = distance_moments(x, y, block)
    direct = moments_of(pairwise_distances(x), pairwise_distances(y))
    for name in ("aa", "ab", "bb", "rows_a", "rows_b"):
        np.testing.assert_allclose(getattr(blocked, name), getattr(direct, name), rtol=1e-12)


@pytest.mark.parametrize("n", [4, 17, 150])
def test_the_textbook_says_the_same(pair, n):
    x, y = pair(n)
    assert distance_correlation(distance_moments(x, y, 32)) == pytest.approx(textbook(x, y), abs=1e-10)


@pytest.mark.parametrize("n", [5, 40, 130])
def test_the_package_dcor_says_the_same(pair, n):
    x, y = pair(n)
    moments = distance_moments(x, y, 32)
    assert distance_correlation(moments) == pytest.approx(dcor.distance_correlation(x, y), abs=1e-9)
    square = dcor.u_distance_correlation_sqr(x, y)
    assert bias_corrected_correlation(moments) * abs(bias_corrected_correlation(moments)) == pytest.approx(
        square, abs=1e-9
    )


def test_equal_rotated_and_scaled_samples_make_one(pair):
    x, _ = pair(60)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    moments = distance_moments(x, 3 * x @ turn + 11)
    assert distance_correlation(moments) == pytest.approx(1, abs=1e-9)
    assert bias_corrected_correlation(moments) == pytest.approx(1, abs=1e-9)


def test_two_points_make_one_whatever_they_are():
    """Two distances are always proportional (Székely and Rizzo 2007, theorem 3)."""
    assert distance_correlation(distance_moments([[0.0], [1.0]], [[5.0], [-3.0]])) == pytest.approx(1)


def test_a_constant_code_is_correlated_with_nothing(pair):
    x, _ = pair(50)
    moments = distance_moments(x, np.full((50, 7), 0.1 + 1e6 / 3))
    assert distance_correlation(moments) == 0
    assert bias_corrected_correlation(moments) == 0


def test_the_papers_figure_is_high_for_independent_codes_and_the_corrected_one_is_not():
    """docs/paper.md: 400 independent Gaussians of 128 and 600 dimensions give 0.83."""
    rng = np.random.default_rng(0)
    moments = distance_moments(rng.normal(size=(400, 128)), rng.normal(size=(400, 600)))
    assert distance_correlation(moments) == pytest.approx(0.83, abs=0.01)
    assert abs(bias_corrected_correlation(moments)) < 0.15


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="at least 4"):
        bias_corrected_correlation(distance_moments(np.eye(3), np.eye(3)))


def test_twenty_thousand_samples_stay_under_a_gigabyte():
    """Their two distance matrices would take 6.4 GB."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 2)).astype(np.float32)
    y = np.concatenate([x[:, :1] + x[:, 1:], rng.normal(size=(20_000, 2)).astype(np.float32)], axis=1)
    tracemalloc.start()
    value = distance_correlation(distance_moments(x, y))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8
    rows = slice(0, 1000)
    assert value == pytest.approx(dcor.distance_correlation(x[rows], y[rows]), abs=0.05)


def test_the_null_holds_what_reordering_by_hand_gives(pair):
    x, y = pair(30)
    null = permutation_null(x, y, permutations=5, seed=3)
    rng = np.random.default_rng(3)
    rows = rng.permutation(30)
    for dc, corrected in zip(null.dc, null.dcor, strict=True):
        other = y[rows][rng.permutation(30)]
        assert dc == pytest.approx(textbook(x[rows], other), abs=1e-10)
        square = dcor.u_distance_correlation_sqr(x[rows], other)
        assert corrected * abs(corrected) == pytest.approx(square, abs=1e-9)


def test_p_values_find_dependence_and_are_even_without_it(pair):
    x, y = pair(80)
    assert permutation_null(x, y, permutations=99).p_value == pytest.approx(0.01)
    rng = np.random.default_rng(5)
    p = [
        permutation_null(rng.normal(size=(20, 4)), rng.normal(size=(20, 6)), 39, seed).p_value
        for seed in range(80)
    ]
    assert 0.35 < np.mean(p) < 0.65
    assert 0 < np.mean(np.array(p) <= 0.2) < 0.4


def test_the_null_of_a_large_sample_is_made_from_a_part():
    rng = np.random.default_rng(0)
    null = permutation_null(rng.normal(size=(300, 3)), rng.normal(size=(300, 3)), 3, most=100)
    assert null.samples == 100
    assert len(null.dc) == len(null.dcor) == 3
