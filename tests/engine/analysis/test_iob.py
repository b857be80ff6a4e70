"""Information over Bias where the answer is known: codes that hold all, half or nothing of a picture."""

import numpy as np
import pytest
import torch

from dpa.engine.analysis.iob_training import (
    Iob,
    IobConfig,
    IobDecoder,
    held_out_mse,
    information_over_bias,
    split_by_clip,
    train_decoder,
)

FAST = IobConfig(epochs=20, batch=10, learning_rate=1e-3, seeds=1)


@pytest.fixture(scope="module")
def quadrants():
    """Pictures [96, 3, 16, 16] of a coloured quadrant on black; place [96, 4] and colour [96, 3], one-hot."""
    rng = np.random.default_rng(0)
    place, colour = rng.integers(4, size=96), rng.integers(3, size=96)
    pictures = torch.zeros(96, 3, 16, 16)
    for picture, p, c in zip(pictures, place, colour, strict=True):
        y, x = 8 * (p // 2), 8 * (p % 2)
        picture[c, y : y + 8, x : x + 8] = 1
    return pictures, torch.eye(4)[place], torch.eye(3)[colour]


def test_what_a_code_holds_ranks_it(quadrants):
    """Three colours in four places: nothing known leaves an error of 4·(1/12)·(11/12), the place alone
    4·(1/4)·(1/3)·(2/3), both together 0. So a perfect decoder makes 1.375 of the place, and noise makes 1."""
    pictures, place, colour = quadrants
    noise = torch.randn(96, 7, generator=torch.Generator().manual_seed(1))
    codes = {"both": torch.cat([place, colour], dim=1), "place": place, "noise": noise}
    counted = []
    iob = information_over_bias(
        pictures, codes, np.arange(96) // 2, FAST, last_norm=False, progress=lambda *at: counted.append(at)
    )
    assert iob["place"].bias_mse == pytest.approx(4 * 11 / 144, rel=0.1)
    assert iob["both"].mean > 5
    assert 1.15 < iob["place"].mean < 1.5
    assert iob["noise"].mean < 1.05
    assert counted == [(done, 6) for done in range(1, 7)]


def test_the_last_normalisation_gives_every_picture_one_mean_and_contrast():
    """So a global colour that the code knows cannot be shown; without that layer it can."""
    codes = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    for last_norm in (True, False):
        torch.manual_seed(0)
        before_tanh = torch.atanh(IobDecoder(9, 32, last_norm)(codes).double())
        spread = before_tanh.mean(dim=(2, 3)).std(dim=0) / before_tanh.std(dim=(0, 2, 3))
        assert bool((spread < 1e-3).all()) == last_norm


def test_a_constant_code_may_be_run_once_a_batch(quadrants):
    """The shortcut for ones: the same training as with a row of ones for every picture."""
    targets, rows = quadrants[0] * 2 - 1, torch.arange(40)
    config = IobConfig(epochs=2, batch=8, learning_rate=1e-3)
    once = train_decoder(torch.ones(1, 5), targets, rows, config, True, seed=0)
    each = train_decoder(torch.ones(96, 5), targets, rows, config, True, seed=0)
    errors = [
        held_out_mse(decoder, torch.ones(n, 5), targets, torch.arange(40, 96))
        for decoder, n in ((once, 1), (each, 96))
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)


def test_the_decoder_has_the_authors_shapes():
    """docs/architectures.md: 8 → 256 → 4096 → 16384, then 256×8×8, for 128²; ours for 64² start from 4×4."""
    shapes = [tuple(layer.weight.shape) for layer in IobDecoder(8, 128).spread]
    assert shapes == [(256, 8), (4096, 256), (16384, 4096)]
    decoder = IobDecoder(600, 64)
    assert [tuple(layer.weight.shape) for layer in decoder.spread] == [(256, 600), (1024, 256), (4096, 1024)]
    assert decoder(torch.zeros(2, 600)).shape == (2, 3, 64, 64)
    with pytest.raises(ValueError, match="multiple of 16"):
        IobDecoder(8, 60)


def test_clips_are_never_on_both_sides():
    clips = np.repeat(np.arange(12), 5)
    split = split_by_clip(clips, 0.75, seed=0)
    assert not set(clips[split.train.numpy()]) & set(clips[split.test.numpy()])
    assert sorted([*split.train.tolist(), *split.test.tolist()]) == list(range(60))
    assert len(split.test) == 15
    assert not torch.equal(split.test, split_by_clip(clips, 0.75, seed=1).test)
    with pytest.raises(ValueError, match="one clip"):
        split_by_clip(np.zeros(4, dtype=int), 0.5, seed=0)


def test_mean_and_spread_are_over_the_seeds():
    iob = Iob(bias_mse=np.array([2.0, 3.0]), code_mse=np.array([1.0, 1.0]))
    assert iob.mean == 2.5
    assert iob.spread == pytest.approx(np.sqrt(0.5))
    assert np.isnan(Iob(np.ones(1), np.ones(1)).spread)


def test_the_same_seed_trains_the_same_decoder_and_leaves_torchs_own_state(quadrants):
    pictures, place, _ = quadrants
    config = IobConfig(epochs=1, seeds=2)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (
        information_over_bias(pictures, {"place": place}, np.arange(96), config)["place"] for _ in range(2)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(first.code_mse, second.code_mse)
    assert first.code_mse[0] != first.code_mse[1]
