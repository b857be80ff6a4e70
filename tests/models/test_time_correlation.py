"""Rank correlation of pose-code distance and time gap, against SciPy on pairs listed by hand, and CSSL's
temporal term as what brings it about."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.cssl import CSSLWeights, code_distance, target_distance
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.validation import pose_time_spearman, rank_correlation, videos


def test_codes_that_move_along_a_line_rank_perfectly() -> None:
    times = [np.array([0.0, 0.3, 1.0, 5.0]), np.array([2.0, 2.1, 9.0])]
    ways = [time[:, None] * np.array([[3.0, 4.0]]) for time in times]
    assert rank_correlation(ways, times) == pytest.approx(1)
    assert rank_correlation([np.zeros((4, 2)), np.zeros((3, 2))], times) == 0


def test_codes_that_know_nothing_of_time_do_not_correlate() -> None:
    rng = np.random.default_rng(0)
    codes, times = rng.normal(size=(40, 30, 8)), rng.uniform(0, 9, (40, 30))
    assert abs(rank_correlation(list(codes), list(times))) < 0.05


def test_a_network_against_pairs_listed_by_hand(squares: PackedStore, tiny_config: NetworkConfig) -> None:
    torch.manual_seed(2)
    network = DisentangledNetwork(tiny_config, "nsd").eval()
    rows = np.arange(24)
    frames = squares.frames_at(rows)
    codes = network.encode(network.crop(frames, network.localise(frames)))[1].detach().numpy()
    pairs: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    for i, j in itertools.combinations(rows, 2):
        video = int(squares.sequence[i]), int(squares.camera[i])
        if video == (squares.sequence[j], squares.camera[j]):
            code, pose = (np.linalg.norm(one[i] - one[j]) for one in (codes, squares.poses))
            pairs.setdefault(video, []).append((code, pose, abs(squares.time[i] - squares.time[j])))
    assert [len(listed) for listed in pairs.values()] == [6] * (2 * 3)
    expected = [
        np.mean(
            [
                spearmanr([pair[kind] for pair in one], [pair[2] for pair in one]).statistic
                for one in pairs.values()
            ]
        )
        for kind in (0, 1)
    ]
    found = pose_time_spearman(network, squares, rows)
    assert found is not None
    assert [found.codes, found.poses] == pytest.approx(expected, abs=1e-6)


def test_two_instants_a_video_are_too_few(squares: PackedStore, tiny_config: NetworkConfig) -> None:
    two = np.flatnonzero(squares.frame < 2)
    assert list(videos(squares, two)) == []
    assert pose_time_spearman(DisentangledNetwork(tiny_config, "nsd"), squares, two) is None


def test_the_temporal_term_of_cssl_alone_brings_the_correlation_about() -> None:
    """Free codes under the term, as CSSL's encoder has it, from random ones: near 0 before, near 1 after."""
    generator = torch.Generator().manual_seed(0)
    times = torch.rand(20, 8, generator=generator) * 2
    codes = (0.3 * torch.randn(20, 8, 12, generator=generator)).requires_grad_()
    optimiser, weights = torch.optim.Adam([codes], 0.02), CSSLWeights()

    def correlation() -> float:
        return rank_correlation(list(codes.detach().numpy()), list(times.numpy()))

    before = correlation()
    for _ in range(300):
        picks = torch.stack([torch.randperm(8, generator=generator)[:2] for _ in range(20)])
        first, second = (codes[torch.arange(20), picks[:, side]] for side in (0, 1))
        gap = (times[torch.arange(20), picks[:, 0]] - times[torch.arange(20), picks[:, 1]]).abs()
        loss = (code_distance(first, second) - target_distance(gap, weights)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert abs(before) < 0.2 and correlation() > 0.9
