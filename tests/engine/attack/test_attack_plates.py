"""Plates of the samples under attack: few places serve any number of plates, and nobody sees a wrong one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dpa.engine.attack.loading import PlateWindow
from dpa.engine.attack.state import FrameBatch

PLATES = 12


@pytest.fixture
def store():
    """Twelve plates of one grey level each; frame i has plate 5 i modulo 12."""
    levels = np.arange(PLATES, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), dtype=np.uint8)
    return SimpleNamespace(plates=levels, plate=np.arange(40) * 5 % PLATES)


def batch(store, *frames):
    index = torch.tensor(frames)
    return FrameBatch(index, torch.zeros(len(index), 3, 4, 4), torch.from_numpy(store.plate[index.numpy()]))


def seen(window, admitted):
    """The grey levels that samples see now."""
    return (window.plates[admitted.plate_index][:, 0, 0, 0] * 255).round().int().tolist()


def test_every_sample_sees_its_plate_until_it_is_released(store):
    window = PlateWindow(store, 4, torch.device("cpu"))
    tensor = window.plates
    rng = np.random.default_rng(0)
    running = {}
    for frame in range(40):
        admitted = window.admit(batch(store, frame))
        running[frame] = admitted
        for number, sample in running.items():
            assert seen(window, sample) == [store.plate[number]]
        while len(running) > 3:
            ended = int(rng.choice(list(running)))
            window.release(running.pop(ended).index.tolist())
    assert window.plates is tensor
    assert tensor.shape == (4, 3, 4, 4)


def test_samples_share_a_plate(store):
    window = PlateWindow(store, 2, torch.device("cpu"))
    admitted = window.admit(batch(store, 1, 13, 25))
    assert seen(window, admitted) == [5, 5, 5]
    window.release([1, 25])
    other = window.admit(batch(store, 2))
    assert (seen(window, admitted), seen(window, other)) == ([5, 5, 5], [10])


def test_no_more_places_than_plates(store):
    assert len(PlateWindow(store, 100, torch.device("cpu")).plates) == PLATES
