"""Figures of several networks at once, as Figures 2, 3, 4, 8 and 10 want them, show what they were given."""

import io

import numpy as np
import pytest
from PIL import Image

from dpa.engine.analysis.analyses.swap import swap_figure
from dpa.engine.analysis.analyses.tsne import tsne_figure
from dpa.engine.analysis.analyses.zero import zero_groups_figure, zero_rows_figure
from dpa.engine.analysis.registry import analysis_of, names
from dpa.engine.drawing.grid import Line, Shown, picture_grid
from dpa.engine.drawing.style import symbols


def drawn(figure):
    """The figure's pixels, [H, W, 3] uint8."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def plain(level, count=3):
    return np.full((count, 3, 8, 8), level, dtype=np.uint8)


def swapped(title, level):
    arrays = {"source": plain(10), "donor": plain(30), "swapped": plain(level)}
    arrays |= {"sources": np.array(["S7"] * 3), "donors": np.array(["S8", "S8", "S1"])}
    return Shown(title, {"swap_colours_moved": 0.5, "swap_pose_shift_mm": 80.0}, arrays)


def test_swap_shows_source_donor_and_a_row_for_each_network():
    networks = [swapped("NSD", 60), Shown("DRNet", missing="build it"), swapped("CSSL", 80)]
    figure = swap_figure(networks, True)
    assert len(figure.axes) == 5 * 3
    names_of_rows = [axis.get_ylabel() for axis in figure.axes[::3]]
    assert names_of_rows == ["pose from\nS7", "appearance\nfrom one", "NSD", "DRNet", "CSSL"]
    levels = [axis.images[0].get_array()[0, 0, 0] for axis in figure.axes[::3] if axis.images]
    assert levels == [10, 30, 60, 80]
    assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["build it"]


def zeroed(title, subjects=("S1", "S5", "S7")):
    pictures = {kind: plain(50, len(subjects)) for kind in ("own", "zero", "mean")}
    return Shown(title, {}, {**pictures, "subjects": np.array(subjects)})


def test_zero_shows_three_rows_for_each_network():
    assert len(zero_groups_figure([zeroed("CSSL"), zeroed("CSSL (DA)")], True).findobj(is_axes)) == 6 * 3
    assert len(zero_rows_figure([zeroed("CSSL"), zeroed("CSSL (DA)")], True).axes) == 3 * 3


def test_a_network_that_stands_alone_shows_all_its_people():
    five = ("S1", "S5", "S6", "S7", "S8")
    assert len(zero_groups_figure([zeroed("NSD", five)], True).findobj(is_axes)) == 3 * 5


def is_axes(artist):
    return hasattr(artist, "get_images")


def test_tsne_has_two_panels_for_each_network_and_every_label_in_the_legend():
    points = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    labels = {"actions": np.array(["Eating", "Walking"] * 5), "subjects": np.array(["S1", "S7"] * 5)}
    arrays = {"appearance_map": points, "pose_map": points, "subject": np.array("S7"), **labels}
    told = {
        f"knn_{name}{ending}": value
        for name in ("action_from_appearance", "subject_from_pose")
        for ending, value in {"": 0.5, "_low": 0.4, "_high": 0.6, "_chance": 0.2}.items()
    }
    figure = tsne_figure([Shown("NSD", told, arrays), Shown("CSSL", told, arrays)], True)
    assert len(figure.axes) == 4
    legends = [[text.get_text() for text in axis.get_legend().get_texts()] for axis in figure.axes]
    assert legends == [["Eating", "Walking"], ["S1", "S7"]] * 2
    assert "50 % (40 to 60), chance 20 %" in figure.axes[0].get_title()


def test_fifteen_actions_get_fifteen_symbols():
    assert len(set(symbols([str(number) for number in range(28)]).values())) == 28


def test_a_picture_is_drawn_in_its_own_colours():
    red = np.zeros((1, 3, 8, 8), dtype=np.uint8)
    red[:, 0] = 255
    pixels = drawn(picture_grid([Line("red", red)], ()))
    assert (pixels == [255, 0, 0]).all(axis=-1).mean() > 0.2


@pytest.mark.parametrize("name", names())
def test_every_record_is_whole(name):
    record = analysis_of(name)
    assert record.name == name and record.title
    assert len({spec.key for spec in record.figures}) == len(record.figures)
    assert any(spec.file for spec in record.figures), "analyze writes a figure of each"
    for measure in record.measures:
        assert measure.better in ("lower", "higher", "")
        assert measure.scale is None or measure.scale.resolution > 0


def test_every_measure_is_named_once():
    measures = [measure for name in names() for measure in analysis_of(name).measures]
    assert len({one.key for one in measures}) == len({one.title for one in measures}) == len(measures)
