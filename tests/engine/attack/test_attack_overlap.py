"""Loader, writer and progress of a run: bounded, overlapped, and honest about speed."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dpa.engine.attack import writer as writing
from dpa.engine.attack.loading import frame_batches
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
    """Stands for a group of results."""

    def to(self, device):
        return self

    def take(self, rows):
        return self

    def __len__(self):
        return len(self.rows)


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


class Shards:
    """A run directory that notes which samples each shard holds."""

    def __init__(self):
        self.written = []

    def shard(self, name, number, table):
        self.written.append((name, number, table["index"].tolist()))


@pytest.mark.parametrize(
    ("limit", "value", "expected"),
    [
        ("SHARD_ROWS", 4, [[0, 1, 2, 3], [4, 5]]),
        ("SHARD_BYTES", 250, [[0, 1, 2, 3], [4, 5]]),
        ("SHARD_SECONDS", 0.0, [[0, 1], [2, 3], [4, 5]]),
        ("SHARD_ROWS", 100, [[0, 1, 2, 3, 4, 5]]),
    ],
)
def test_shards_end_by_rows_bytes_or_time(monkeypatch, limit, value, expected):
    """Groups of two samples, whose pictures and numbers take 100 + 8 bytes each."""
    monkeypatch.setattr(writing, limit, value)
    monkeypatch.setattr(writing, "sample_columns", lambda result, store: {"index": np.array(result.rows)})
    monkeypatch.setattr(
        writing,
        "picture_columns",
        lambda result: {"index": np.array(result.rows), "adversarial": np.zeros((2, 100), dtype=np.uint8)},
    )
    run = Shards()
    with ShardWriter(run, None, pictured=range(6), numbers=iter((0, 3, 4))) as writer:
        for start in (0, 2, 4):
            writer(Result(rows=[start, start + 1]))
    numbers = (0, 3, 4)[: len(expected)]
    assert run.written == [
        (name, number, rows)
        for number, rows in zip(numbers, expected, strict=True)
        for name in ("adversarial", "samples.parquet")
    ]
