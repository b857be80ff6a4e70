"""Figures of several networks at once, as Figures 2, 3, 4, 8 and 10 want them, show what they were given."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from dpa.engine.analysis.figures.pictures import picture_rows
from dpa.engine.analysis.figures.style import symbols
from dpa.engine.analysis.figures.swap import swap_figure
from dpa.engine.analysis.figures.tsne import tsne_figure
from dpa.engine.analysis.figures.zero import zero_figure
from dpa.engine.analysis.neighbours import NeighbourAccuracy
from dpa.engine.analysis.swap import SwapResult
from dpa.engine.analysis.tsne import TsneResult
from dpa.engine.analysis.zero import MEAN, OWN, ZERO, ZeroResult


def drawn(figure):
    """The figure's pixels, [H, W, 3] uint8."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def plain(level, count=3):
    return torch.full((count, 3, 8, 8), level)


@pytest.fixture
def swaps():
    return {
        name: SwapResult(plain(0.1), plain(0.3), plain(level), 0.5, np.ones(3))
        for name, level in (("NSD", 0.6), ("CSSL", 0.8))
    }


def test_swap_shows_source_donor_and_a_row_for_each_network(swaps):
    figure = swap_figure(swaps, ["S7 as S8"] * 3, columns=2)
    assert len(figure.axes) == 4 * 2
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["pose from", "appearance from", "NSD", "CSSL"]
    assert figure.axes[1].get_title() == "S7 as S8"
    levels = [axis.images[0].get_array()[0, 0, 0] for axis in figure.axes[::2]]
    assert levels == pytest.approx([0.1, 0.3, 0.6, 0.8])


def test_zero_shows_three_rows_for_each_network():
    result = ZeroResult({kind: plain(0.5) for kind in (OWN, ZERO, MEAN)}, {OWN: 1.0, ZERO: 1.0, MEAN: 1.0}, 9)
    assert len(zero_figure({"CSSL": result, "CSSL (DA)": result}, ["S1", "S5", "S7"]).axes) == 6 * 3


def test_tsne_has_two_panels_for_each_network_and_every_label_in_the_legend():
    told = NeighbourAccuracy(0.5, 0.4, 0.6, 0.2, 0.3, 10, 2, 5)
    points = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    actions, subjects = np.array(["Eating", "Walking"] * 5), np.array(["S1", "S7"] * 5)
    result = TsneResult("S7", points, actions, points, subjects, told, told)
    figure = tsne_figure({"NSD": result, "CSSL": result})
    assert len(figure.axes) == 4
    legends = [[text.get_text() for text in axis.get_legend().get_texts()] for axis in figure.axes]
    assert legends == [["Eating", "Walking"], ["S1", "S7"]] * 2
    assert "50 %" in figure.axes[0].get_title()


def test_fifteen_actions_get_fifteen_symbols():
    assert len(set(symbols([str(number) for number in range(28)]).values())) == 28


def test_a_picture_is_drawn_in_its_own_colours():
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0] = 1
    pixels = drawn(picture_rows([("red", red)]))
    assert (pixels == [255, 0, 0]).all(axis=-1).mean() > 0.2
