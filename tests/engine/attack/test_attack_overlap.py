"""Loader, writer and progress of a run: bounded, overlapped, and honest about speed."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dpa.engine.attack import writer as writing
from dpa.engine.attack.loader import frame_batches
from dpa.engine.attack.progress import Pace
from dpa.engine.attack.writer import GROUPS_AHEAD, ShardWriter


class Counting:
    """A store that counts the groups that were read."""

    def __init__(self, frames):
        self.frames = np.zeros((frames, 2, 2, 3), dtype=np.uint8)
        self.plate = np.zeros(frames, dtype=np.int64)
        self.reads = 0

    def frames_at(self, rows):
        self.reads += 1
        return torch.full((len(rows), 3, 2, 2), float(rows[0]))


def test_the_loader_reads_one_group_ahead_and_no_more():
    store = Counting(320)
    rows = np.arange(0, 320, dtype=np.int64)
    seen = []
    for number, batch in enumerate(frame_batches(store, rows, torch.device("cpu"))):
        time.sleep(0.002)
        assert store.reads <= number + 2
        assert (batch.frames == float(batch.index[0])).all()
        seen += batch.index.tolist()
    assert seen == rows.tolist()


def test_the_loader_of_no_frames_is_empty():
    assert not list(frame_batches(Counting(1), np.empty(0, dtype=np.int64), torch.device("cpu")))


class Result(SimpleNamespace):
    """Stands for a group of one result."""

    def to(self, device):
        return self


def test_the_attack_goes_on_while_results_are_written_and_waits_when_they_pile_up(monkeypatch):
    """The writer is stuck in its first group: two more are taken over at once, the next one has to wait."""
    stuck, gathered = threading.Event(), []

    def gather(self, result, seconds):
        stuck.wait(20)
        gathered.append(result.number)

    monkeypatch.setattr(writing.ShardWriter, "_gather", gather)
    with ShardWriter(None, None, pictured=(), numbers=iter(())) as writer:
        first = threading.Thread(target=lambda: [writer(Result(number=i)) for i in range(GROUPS_AHEAD + 2)])
        first.start()
        first.join(0.3)
        assert first.is_alive(), "one too many must wait"
        assert not gathered
        stuck.set()
        first.join(20)
        assert not first.is_alive()
    assert gathered == list(range(GROUPS_AHEAD + 2))


def test_an_error_of_the_writer_stops_the_attack(monkeypatch):
    def gather(self, result, seconds):
        raise OSError("broken")

    monkeypatch.setattr(writing.ShardWriter, "_gather", gather)
    handed = 0
    with (
        pytest.raises(OSError, match="broken"),
        ShardWriter(None, None, pictured=(), numbers=iter(())) as writer,
    ):
        while handed < 10_000:
            writer(Result())
            handed += 1
            time.sleep(0.001)
    assert handed < 10_000


def test_speed_counts_from_the_first_report():
    """600 of 1000 samples are there from before; 100 more take 20 seconds."""
    now = iter([100.0, 100.0, 120.0, 120.0])
    pace = Pace(1000, clock=lambda: next(now))
    assert pace.note(600, 300) == "success 50.0 %"
    assert pace.note(700, 350) == "5.0 samples/s, success 50.0 %"
    assert pace.seconds_left(700) == 60
