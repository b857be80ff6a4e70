"""Planted codes: appearance copied into the pose code, and a pose code of the pose alone. Every analysis must
tell them apart, and the clean one must get its closed answer."""

import numpy as np
import pytest
import torch

from dpa.engine.analysis.analyses.channels import channels
from dpa.engine.analysis.analyses.counterfactual import counterfactual
from dpa.engine.analysis.analyses.swap import swap
from dpa.engine.analysis.analyses.sweep import channel_sweep
from dpa.engine.analysis.analyses.tsne import tsne
from dpa.engine.analysis.analyses.zero import MEAN, OWN, ZERO, zero_appearance
from dpa.engine.analysis.codes import backgrounds_of, crops_of, encode_rows
from dpa.engine.analysis.distance_correlation import (
    bias_corrected_correlation,
    distance_correlation,
    distance_moments,
    permutation_null,
)
from dpa.engine.analysis.pose_pairs import all_pairs, equally_distant, most_similar

CPU = torch.device("cpu")
LEAKS = (0.0, 0.5, 1.0)


@pytest.fixture
def codes_of(planted, planted_network):
    """(leak, sway) → network, codes of the whole planted store, their backgrounds."""

    def make(leak=0.0, sway=0.0):
        network = planted_network(leak, sway)
        codes = encode_rows(network, planted.store, np.arange(len(planted.store)), CPU, batch=7)
        return network, codes, backgrounds_of(planted.store, codes)

    return make


@pytest.fixture
def of_two_subjects(planted):
    """Numbers of S1's frames and of S7's, pair by pair in the same action."""
    return tuple(torch.from_numpy(planted.store.select(subjects=[name])) for name in ("S1", "S7"))


def test_the_planted_network_reads_what_was_painted(planted, codes_of):
    """The oracle itself: colours exactly, places to the pixel."""
    network, codes, _ = codes_of()
    np.testing.assert_allclose(codes.appearance[:, :3], planted.colour, atol=1e-6)
    assert np.abs(codes.pose[:, :2].numpy() - planted.place).max() < 0.5 / 16 + 1e-6
    rgb, mask = network.decode(codes.appearance, codes.pose)
    inside = planted.store.silhouettes(np.arange(len(planted.store)))
    assert ((mask[:, 0] > 0.5).numpy() == inside).all()
    assert torch.equal(crops_of(network, planted.store, codes), planted.store.frames_at(slice(None)))
    assert rgb.shape == (len(codes), 3, 32, 32)


def test_distance_correlation_ranks_the_leaks(codes_of):
    """Independent codes: no dCor beyond the null. The more is copied, the more dCor; a copy alone makes 1."""
    figures = []
    for leak in LEAKS:
        _, codes, _ = codes_of(leak)
        moments = distance_moments(codes.appearance, codes.pose)
        figures.append((distance_correlation(moments), bias_corrected_correlation(moments)))
    assert figures[0][0] < figures[1][0] < figures[2][0]
    assert abs(figures[0][1]) < 0.2 < figures[1][1] < figures[2][1]
    _, clean, _ = codes_of(0.0)
    _, leaky, _ = codes_of(1.0)
    assert permutation_null(clean.appearance, clean.pose).p_value > 0.01
    assert permutation_null(leaky.appearance, leaky.pose, 199).p_value == pytest.approx(1 / 200)
    copied = distance_moments(leaky.appearance, leaky.pose[:, -12:])
    assert bias_corrected_correlation(copied) == pytest.approx(1, abs=1e-6)


def test_swapped_colours_follow_the_code_that_holds_them(codes_of, of_two_subjects):
    """The paper's Figure 2 in numbers: with a clean pose code the donor's colours come whole, with a full
    copy none of them, with half a copy half. The regressor sways only where the pose code holds a colour."""
    sources, donors = of_two_subjects
    moved = {}
    for leak in LEAKS:
        network, codes, behind = codes_of(leak)
        result = swap(
            network, codes.take(sources), codes.take(donors), behind.take(sources), behind.take(donors)
        )
        moved[leak] = result.colours_moved
        assert result.shift_mm.max() < 1e-3
    assert moved[0.0] == pytest.approx(1, abs=0.01)
    assert moved[1.0] == pytest.approx(0, abs=0.01)
    assert 0.3 < moved[0.5] < 0.7


def test_the_swaps_pose_shift_is_what_the_regressor_sways(codes_of, of_two_subjects):
    """With half a copy a re-read pose code holds half of the red that is seen; φ moves 16 joints of 17 by
    300 mm for each unit of it, and the picture has gone half the way from S1's red to S7's."""
    sources, donors = of_two_subjects
    network, codes, behind = codes_of(0.5, sway=300.0)
    result = swap(network, codes.take(sources), codes.take(donors), behind.take(sources), behind.take(donors))
    red = (200 - 70) / 255 / 2
    assert result.shift_mm == pytest.approx(300 * 0.5 * red * 16 / 17, abs=0.5)
    assert result.summary()["swap_pose_shift_mm"] == pytest.approx(result.shift_mm.mean())


def test_zeroing_leaves_the_colours_that_the_pose_code_holds(planted, codes_of):
    left = {}
    for leak in LEAKS:
        network, codes, behind = codes_of(leak)
        shown = torch.tensor([0, 20, 40])
        result = zero_appearance(network, codes, planted.store.subject, shown, behind.take(shown))
        left[leak] = [result.share_left(kind) for kind in (OWN, ZERO, MEAN)]
        assert {picture.shape for picture in result.pictures.values()} == {(3, 3, 32, 32)}
    assert left[0.0] == pytest.approx([1, 0, 0], abs=1e-3)
    assert left[1.0] == pytest.approx([1, 1, 1], abs=1e-3)
    assert all(0.05 < value < 0.95 for value in left[0.5][1:])


def test_neighbours_find_the_subject_only_in_a_leaky_pose_code(planted, codes_of):
    store, found = planted.store, {}
    for leak in (0.0, 1.0):
        _, codes, _ = codes_of(leak)
        found[leak] = tsne(
            codes.appearance, codes.pose, store.subject, store.action, store.sequence, "S7", k=3
        )
    clean, leaky = found[0.0].subject_from_pose, found[1.0].subject_from_pose
    assert leaky.accuracy == 1
    assert clean.accuracy < 0.5 < leaky.low
    assert clean.low <= clean.accuracy <= clean.high
    assert clean.chance == pytest.approx(0.25, abs=0.07)
    assert found[0.0].appearance_map.shape == (18, 2)
    assert found[0.0].pose_map.shape == (72, 2)
    assert found[0.0].action_from_appearance.accuracy < 0.65


def test_channels_that_hold_a_copy_come_out_on_top(planted, codes_of):
    store = planted.store
    between = most_similar(all_pairs(store.poses, store.subject, store.sequence, same=False), 12)
    within = equally_distant(all_pairs(store.poses, store.subject, store.sequence, same=True), between)
    share = {}
    for leak in LEAKS:
        result = channels(codes_of(leak)[1].pose, between, within)
        share[leak] = result.appearance_share
        if leak:
            assert set(result.order[-8:]) <= set(range(12, 24))
    assert share[1.0] > share[0.5] > 0.8
    assert share[0.0] < 0.75
    assert result.top_share(24) == pytest.approx(1)


def test_the_sweep_brings_b_s_pose_with_the_lowest_and_its_colours_with_the_highest(planted, codes_of):
    """Figure 6 with a full copy: twelve channels carry the pose, the twelve others the colours."""
    network, codes, behind = codes_of(1.0)
    store = planted.store
    a = torch.from_numpy(store.select(subjects=["S1"], actions=["Eating"]))
    b = torch.from_numpy(store.select(subjects=["S7"], actions=["Walking"]))
    order, ks = np.arange(24), (0, 6, 12, 18, 24)
    result = channel_sweep(network, codes.take(a), codes.take(b), behind.take(a), behind.take(b), order, ks)
    lowest, highest = result.lowest, result.highest
    near = pytest.approx(0, abs=1e-3)
    assert lowest.pose_to_a[0] == near
    assert lowest.colour_to_a[0] == near
    assert lowest.pose_to_b[2] == near
    assert lowest.colour_to_a[2] == near
    assert highest.pose_to_a[2] == near
    assert highest.colour_to_b[2] == near
    for curves in (lowest, highest):
        assert curves.pose_to_b[-1] == near
        assert curves.colour_to_b[-1] == near
    assert lowest.crossing(ks, "pose") <= 12 <= lowest.crossing(ks, "colour")
    assert highest.crossing(ks, "colour") <= 12 <= highest.crossing(ks, "pose")
    assert result.strips["lowest"].shape == (5, 3, 32, 32)


def test_with_a_clean_code_colours_never_come(planted, codes_of):
    network, codes, behind = codes_of(0.0)
    a, b = torch.tensor([0, 1]), torch.tensor([40, 41])
    result = channel_sweep(
        network, codes.take(a), codes.take(b), behind.take(a), behind.take(b), np.arange(24), (0, 24)
    )
    assert result.lowest.colour_to_a[-1] == pytest.approx(0, abs=1e-3)
    assert np.isnan(result.lowest.crossing((0, 24), "colour"))
    assert np.isnan(result.summary()["sweep_highest_colour_crossing"])


def test_counterfactual_shift_and_shares_are_what_was_planted(planted_network, planted_outfits):
    """Clothes are all that differs, so a clean pose code does not move at all and the outfit has no share
    of it; a leaky one moves by the sway times the change of red, with the outfit's exact share."""
    clean = counterfactual(planted_network(0.0, 300.0), planted_outfits, CPU)
    assert clean.summary()["counterfactual_pose_shift_mm"] == pytest.approx(0, abs=1e-3)
    assert clean.pose_shares.outfit == pytest.approx(0, abs=1e-9)
    assert clean.appearance_shares.outfit == pytest.approx(1, abs=1e-6)
    leaky = counterfactual(planted_network(1.0, 300.0), planted_outfits, CPU)
    red = np.array([200, 60, 70, 210]) / 255
    apart = np.abs(red[:, None] - red)[~np.eye(4, dtype=bool)].mean()
    assert leaky.summary()["counterfactual_pose_shift_mm"] == pytest.approx(300 * apart * 16 / 17, rel=1e-3)
    codes = np.stack(
        [
            encode_rows(planted_network(1.0), store, np.arange(len(store)), CPU).pose.double().numpy()
            for store in planted_outfits.values()
        ]
    )
    codes -= codes.mean(axis=(0, 1))
    expected = 72 * (codes.mean(axis=1) ** 2).sum() / (codes**2).sum()
    assert leaky.pose_shares.outfit == pytest.approx(expected, rel=1e-6)
    assert leaky.pose_shares.outfit > 0.3
