"""Pose errors against closed forms and SciPy's alignment."""

import numpy as np
from scipy.spatial.transform import Rotation

from dpa.models.training.validation import mpjpe, n_mpjpe, p_mpjpe

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(20, 17, 3)) * 300
PREDICTED = TRUTH + RNG.normal(size=TRUTH.shape) * 60


def test_mpjpe_of_a_constant_offset() -> None:
    np.testing.assert_allclose(mpjpe(TRUTH + np.array([3.0, 0, 4.0]), TRUTH), 5)


def test_n_mpjpe_removes_scale_and_takes_the_best_one() -> None:
    np.testing.assert_allclose(n_mpjpe(TRUTH * 0.3, TRUTH), 0, atol=1e-9)
    scales = np.linspace(0.8, 1.2, 4001)
    for p, g, error in zip(PREDICTED, TRUTH, n_mpjpe(PREDICTED, TRUTH), strict=True):
        best = scales[np.argmin([((s * p - g) ** 2).sum() for s in scales])]
        np.testing.assert_allclose(error, np.linalg.norm(best * p - g, axis=1).mean(), rtol=1e-3)


def test_p_mpjpe_removes_similarities_but_not_reflections() -> None:
    turn = Rotation.random(20, random_state=0).as_matrix()
    moved = 1.7 * np.einsum("nij,nkj->nki", turn, TRUTH) + RNG.normal(size=(20, 1, 3)) * 500
    np.testing.assert_allclose(p_mpjpe(moved, TRUTH), 0, atol=1e-8)
    assert p_mpjpe(TRUTH * np.array([-1.0, 1, 1]), TRUTH).min() > 50


def test_p_mpjpe_agrees_with_scipy_alignment() -> None:
    for p, g, error in zip(PREDICTED, TRUTH, p_mpjpe(PREDICTED, TRUTH), strict=True):
        a, b = p - p.mean(0), g - g.mean(0)
        turned = Rotation.align_vectors(b, a)[0].apply(a)
        scale = (turned * b).sum() / (a * a).sum()
        np.testing.assert_allclose(error, np.linalg.norm(scale * turned - b, axis=1).mean(), rtol=1e-6)
