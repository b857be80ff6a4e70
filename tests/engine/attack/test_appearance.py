"""The distribution of real appearance codes, against closed forms and a NumPy fit of its own."""

import numpy as np
import pytest
import torch
from scipy import stats

from dpa.engine.attack.appearance import (
    CODES,
    AppearanceDistribution,
    BrokenAppearance,
    TooFewCodes,
    fit_appearance,
    measure_appearance,
)

SIZE = 6


def gaussian(n: int, size: int = SIZE, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of a known normal distribution, stretched and far from 0: codes, their mean and covariance."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(size, size)) * np.geomspace(1, 5, size)
    mean = rng.normal(size=size) * 10
    return rng.normal(size=(n, size)) @ mixing.T + mean, mean, mixing @ mixing.T


def labelled(codes: np.ndarray, clips: int = 40, persons: int = 5) -> AppearanceDistribution:
    number = np.arange(len(codes))
    return fit_appearance(codes, number % clips, number % persons)


def test_radii_of_gaussian_codes_follow_chi() -> None:
    found = labelled(gaussian(20_000)[0])
    for share in (0.5, 0.8, 0.95):
        assert found.quantile(share) == pytest.approx(stats.chi(SIZE).ppf(share), rel=0.03)
    assert stats.kstest(found.radii, stats.chi(SIZE).cdf).statistic < 0.02
    assert stats.kstest(found.radii_by_person, stats.chi(SIZE).cdf).statistic < 0.02


def test_whitened_codes_have_the_identity_as_covariance() -> None:
    codes, _, _ = gaussian(20_000)
    white = labelled(codes).whitened(codes)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(SIZE), atol=0.05)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=0.03)


def test_radius_is_mahalanobis_distance_in_float64() -> None:
    codes, _, _ = gaussian(500)
    found = labelled(codes)
    other = gaussian(50, seed=1)[0]
    gap = other - found.mean
    expected = np.sqrt(np.einsum("ni,ij,nj->n", gap, np.linalg.inv(found.covariance), gap))
    np.testing.assert_allclose(found.radius(other), expected, rtol=1e-8)
    np.testing.assert_allclose(found.whitening @ found.colouring, np.eye(SIZE), atol=1e-9)


def test_mean_and_shrunk_covariance_are_those_of_the_fitted_clips() -> None:
    """Ledoit and Wolf's formula written out: shrinkage is the ratio of the sample's noise to its distance
    from a multiple of the identity."""
    codes, _, _ = gaussian(60)
    found = labelled(codes)
    used = codes[found.fitted]
    n, size = used.shape
    centred = used - used.mean(axis=0)
    sample = centred.T @ centred / n
    target = np.trace(sample) / size * np.eye(size)
    distance = np.square(sample - target).sum()
    noise = sum(np.square(np.outer(row, row) - sample).sum() for row in centred) / n**2
    shrinkage = min(noise / distance, 1)
    assert found.shrinkage == pytest.approx(shrinkage, rel=1e-6)
    np.testing.assert_allclose(found.mean, used.mean(axis=0))
    np.testing.assert_allclose(found.covariance, (1 - shrinkage) * sample + shrinkage * target, rtol=1e-6)


def test_whole_clips_are_held_out() -> None:
    codes, _, _ = gaussian(400)
    found = labelled(codes, clips=10)
    clip = np.arange(400) % 10
    assert not set(clip[found.fitted]) & set(clip[~found.fitted])
    assert len(found.radii) == (~found.fitted).sum()


def test_an_unseen_person_lies_farther_out_than_an_unseen_clip() -> None:
    """Five persons far apart, each a small cloud: a fit that saw all five holds their other clips; a fit
    without a person does not hold that person."""
    rng = np.random.default_rng(0)
    person = np.arange(1000) % 5
    codes = rng.normal(size=(5, 30))[person] * 10 + rng.normal(size=(1000, 30))
    found = fit_appearance(codes, np.arange(1000) // 5 % 40, person)
    assert np.median(found.radii_by_person) > 2 * np.median(found.radii)


@pytest.mark.parametrize(("spreads", "expected"), [((1, 1, 1, 1), 4.0), ((10, 0, 0, 0), 1.0)])
def test_participation_ratio_counts_directions(spreads: tuple[float, ...], expected: float) -> None:
    codes = np.random.default_rng(0).normal(size=(50_000, 4)) * spreads
    assert labelled(codes).participation_ratio == pytest.approx(expected, rel=0.01)


def test_fewer_codes_than_directions_still_have_a_radius() -> None:
    found = labelled(gaussian(30, size=100)[0], clips=6)
    assert np.isfinite(found.radii).all() and found.farthest >= found.radii.max()


def test_comes_back_from_the_disk_number_by_number(tmp_path) -> None:
    found = labelled(gaussian(200)[0])
    found.save(tmp_path)
    again = AppearanceDistribution.load(tmp_path)
    assert again.facts() == found.facts()
    np.testing.assert_array_equal(again.codes, found.codes)
    np.testing.assert_array_equal(again.covariance, found.covariance)
    np.testing.assert_array_equal(again.persons, found.persons)


def test_damaged_files_are_refused(tmp_path) -> None:
    with pytest.raises(BrokenAppearance):
        AppearanceDistribution.load(tmp_path)
    labelled(gaussian(200)[0]).save(tmp_path)
    (tmp_path / CODES).write_bytes((tmp_path / CODES).read_bytes()[:-100])
    with pytest.raises(BrokenAppearance):
        AppearanceDistribution.load(tmp_path)


@pytest.mark.parametrize(
    "codes",
    [np.empty((0, 3)), np.ones((80, 3)), np.full((80, 3), np.nan)],
    ids=["none", "all the same", "not finite"],
)
def test_what_has_no_distribution_is_refused(codes: np.ndarray) -> None:
    with pytest.raises(TooFewCodes):
        labelled(codes)


def test_one_clip_is_refused() -> None:
    with pytest.raises(TooFewCodes):
        labelled(gaussian(50)[0], clips=1)


def test_a_generator_is_measured_on_frames_as_it_finds_the_person(tiny_world, tiny_store) -> None:
    network = tiny_world(4).network.float()
    rows = np.arange(len(tiny_store))
    found = measure_appearance(network, tiny_store, rows, torch.device("cpu"))
    frames = tiny_store.frames_at(rows)
    with torch.no_grad():
        codes, _ = network.encode(network.crop(frames, network.localise(frames)))
    np.testing.assert_allclose(found.codes, codes.numpy(), rtol=1e-4, atol=1e-5)
    assert found.facts()["clips"] == 6 and found.facts()["persons"] == 3
