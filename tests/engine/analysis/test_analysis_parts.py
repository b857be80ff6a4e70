"""The parts that analyses share, each against a closed form."""

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from skimage.color import deltaE_cie76, rgb2lab

from dpa.engine.analysis.analyses.sweep import SweepCurves, replaced
from dpa.engine.analysis.neighbours import NoOtherClip, centred_by, neighbour_accuracy
from dpa.engine.analysis.painting import colour_distance, colour_profile, share_moved
from dpa.engine.analysis.pose_pairs import (
    all_pairs,
    equally_distant,
    most_similar,
    normalised_poses,
    pose_distances,
    spread,
)
from dpa.engine.analysis.variance import between_groups, variance_shares


def plain(*colours):
    return torch.tensor(colours, dtype=torch.float64)[:, :, None, None].expand(-1, -1, 8, 8)


def test_two_plain_colours_are_their_delta_e_apart():
    one, other = (0.8, 0.2, 0.1), (0.1, 0.4, 0.9)
    profiles = colour_profile(plain(one, other), torch.ones(2, 1, 8, 8))
    expected = deltaE_cie76(rgb2lab(np.array(one)), rgb2lab(np.array(other)))
    assert colour_distance(profiles[0], profiles[1]) == pytest.approx(expected)


def test_colours_outside_the_mask_and_their_places_do_not_count():
    rgb = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    changed = rgb.clone()
    changed[..., 4:] = 0
    changed[..., :4] = changed[..., :4].flip(2)
    assert colour_distance(colour_profile(rgb, mask), colour_profile(changed, mask)) == pytest.approx(0)
    assert np.isfinite(colour_profile(rgb, 0.2 * mask)).all()


def test_the_share_moved_is_a_projection():
    rng = np.random.default_rng(0)
    start, goal = rng.normal(size=(2, 6, 9))
    assert share_moved(start, goal, start + 0.3 * (goal - start)) == pytest.approx(0.3)
    aside = np.zeros((6, 9))
    aside[:, 0], aside[:, 1] = (goal - start)[:, 1], -(goal - start)[:, 0]
    assert share_moved(start, goal, start + aside) == pytest.approx(0)
    assert np.isnan(share_moved(start, start, goal))


def test_the_variance_between_groups_is_found_and_what_is_within_them_left_out():
    """Simulated with known components: 4 between and 9 within, in two dimensions."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), 5)
    values = 2 * rng.normal(size=(400, 2))[groups] + 3 * rng.normal(size=(2000, 2))
    assert between_groups(values, groups) == pytest.approx(8, rel=0.15)
    assert between_groups(3 * rng.normal(size=(2000, 2)), groups) == pytest.approx(0, abs=0.5)
    with pytest.raises(ValueError, match="two groups"):
        between_groups(values[:5], groups[:5])


def test_exact_shares_of_an_additive_code():
    """Outfit, body and pose in dimensions of their own, of known sums of squares, and a product of two."""
    outfit, body, pose = np.array([-1.0, 1.0]), np.repeat([-2.0, 2.0], 4), np.tile([-3.0, 3.0, 1.0, -1.0], 2)
    codes = np.zeros((2, 8, 4))
    codes[..., 0], codes[..., 1], codes[..., 2] = outfit[:, None], body, pose
    codes[..., 3] = 2 * outfit[:, None] * np.tile([1.0, -1.0], 4)
    shares = variance_shares(codes + 7, np.repeat(["S1", "S5"], 4))
    total = 1 + 4 + 5 + 4
    assert shares.outfit == pytest.approx(1 / total)
    assert shares.body == pytest.approx(4 / total)
    assert shares.pose == pytest.approx(5 / total)
    assert shares.outfit_and_moment == pytest.approx(4 / total)
    assert np.isnan(variance_shares(np.ones((2, 3, 4)), np.array(["a", "a", "b"])).outfit)


def test_poses_are_aligned_as_procrustes_does_but_not_turned():
    """SciPy's own alignment of a pose with a moved and scaled copy finds no difference, and neither do we; of
    a turned copy it finds none either, and we do."""
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 300, (17, 3))
    moved = 1.3 * pose + 50
    turned = pose @ np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    assert procrustes(pose, moved)[2] == pytest.approx(0, abs=1e-12)
    assert procrustes(pose, turned)[2] == pytest.approx(0, abs=1e-12)
    apart = pose_distances(*[normalised_poses(np.stack([pose, moved, turned]))] * 2)
    assert apart[0, 1] == pytest.approx(0, abs=1e-9)
    assert apart[0, 2] > 100
    np.testing.assert_allclose(apart, apart.T)


@pytest.fixture
def crowd():
    """40 random poses of four subjects, two clips each."""
    rng = np.random.default_rng(1)
    subjects = np.repeat(["S1", "S5", "S6", "S7"], 10)
    return rng.normal(0, 300, (40, 17, 3)), subjects, np.repeat(np.arange(8), 5)


def test_pairs_are_of_the_asked_kind_and_come_by_distance(crowd):
    poses, subjects, clips = crowd
    for same in (True, False):
        pairs = all_pairs(poses, subjects, clips, same=same)
        assert ((subjects[pairs.first] == subjects[pairs.second]) == same).all()
        assert (clips[pairs.first] != clips[pairs.second]).all()
        assert (np.diff(pairs.distance_mm) >= 0).all()
        assert len(pairs) == (4 * 25 if same else 6 * 100)


def test_the_most_similar_pairs_share_no_sample(crowd):
    between = most_similar(all_pairs(*crowd, same=False), 9)
    members = [*between.first.tolist(), *between.second.tolist()]
    assert len(between) == 9
    assert len(set(members)) == 18
    assert between.distance_mm[0] == all_pairs(*crowd, same=False).distance_mm[0]


def test_control_pairs_are_as_far_apart_and_none_twice(crowd):
    pairs = all_pairs(*crowd, same=True)
    within = equally_distant(pairs, pairs.take(np.array([50, 50, 51])))
    assert within.distance_mm[0] == pairs.distance_mm[50]
    assert len({*zip(within.first.tolist(), within.second.tolist(), strict=True)}) == 3


def test_spread_pairs_come_from_between_the_quantiles(crowd):
    pairs = all_pairs(*crowd, same=False)
    chosen = spread(pairs, 5, 0.5, 0.9, seed=0)
    assert len(chosen) == 5
    assert chosen.distance_mm.min() >= np.quantile(pairs.distance_mm, 0.49)
    assert chosen.distance_mm.max() <= np.quantile(pairs.distance_mm, 0.91)


def test_neighbours_of_ones_own_clip_do_not_count():
    """Clips are tight clusters far from each other; the nearest other clip always has the other label."""
    centres = np.array([0.0, 1.0, 10.0, 11.0])
    codes = np.repeat(centres, 4)[:, None] + np.tile([0.0, 0.01, 0.02, 0.03], 4)[:, None]
    labels = np.repeat(["a", "b", "a", "b"], 4)
    found = neighbour_accuracy(codes, labels, np.repeat(np.arange(4), 4), "label", k=3)
    assert found.accuracy == 0
    assert (
        neighbour_accuracy(codes, np.repeat(["a", "a", "b", "b"], 4), np.repeat(np.arange(4), 4), "x").low
        == 1
    )


def test_ties_go_to_the_nearest_label():
    codes = np.array([[0.0], [1.0], [1.5], [-1.2], [30.0]])
    labels = np.array(["a", "a", "b", "b", "a"])
    found = neighbour_accuracy(codes, labels, np.arange(5), "label", k=2)
    # of the five, only 0 (neighbours a, b) is voted for rightly
    assert found.accuracy == pytest.approx(0.2)


def test_random_codes_stay_at_chance_within_the_interval():
    rng = np.random.default_rng(0)
    labels, clips = np.repeat(np.arange(5), 60), np.repeat(np.arange(60), 5)
    found = neighbour_accuracy(rng.normal(size=(300, 8)), labels, clips, "label")
    assert found.chance == pytest.approx(0.2, abs=0.03)
    assert found.accuracy < found.chance_high + 0.05
    assert found.low < 0.2 < found.high


def test_one_clip_for_each_label_tells_nothing():
    with pytest.raises(NoOtherClip, match="every action"):
        neighbour_accuracy(np.eye(6), np.repeat([0, 1, 2], 2), np.repeat([0, 1, 2], 2), "action")


def test_centred_codes_have_no_group_mean():
    values = np.random.default_rng(0).normal(size=(12, 3))
    groups = np.repeat(["x", "y", "z"], 4)
    centred = centred_by(values, groups)
    for group in "xyz":
        assert centred[groups == group].mean(axis=0) == pytest.approx([0, 0, 0])
    np.testing.assert_allclose(centred[1] - centred[0], values[1] - values[0])


def test_only_the_named_channels_are_replaced():
    mixed = replaced(torch.zeros(2, 5), torch.ones(2, 5), torch.tensor([1, 4]))
    assert mixed.tolist() == [[0, 1, 0, 0, 1]] * 2


def test_the_crossing_lies_on_the_straight_line():
    """To A 0, 4, 8; to B 10, 6, 2: equal between K = 100 and 200, a quarter of the way."""
    to_a, to_b = np.array([[0.0], [4.0], [8.0]]), np.array([[10.0], [6.0], [2.0]])
    curves = SweepCurves(to_a, to_b, to_b, to_a)
    assert curves.crossing((0, 100, 200), "pose") == pytest.approx(125)
    assert curves.crossing((0, 100, 200), "colour") == 0
