"""Loader and writer of a run: bounded, and overlapped with the attack."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dpa.bench.stand_in import account
from dpa.engine.attack import writer as writing
from dpa.engine.attack.loading import frame_batches
from dpa.engine.attack.state import AttackResult
from dpa.engine.attack.writer import GROUPS_AHEAD, ShardWriter


class Frames:
    """A store whose frames hold their own number, and that counts the groups that were read."""

    def __init__(self, frames):
        self.frames = np.zeros((frames, 2, 2, 3), dtype=np.uint8)
        self.plate = np.zeros(frames, dtype=np.int64)
        self.reads = 0

    def frames_u8_at(self, rows):
        self.reads += 1
        return np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (len(rows), 2, 2, 3)).copy()


def test_the_loader_reads_one_group_ahead_and_no_more():
    store, rows, seen = Frames(320), np.arange(0, 200, dtype=np.int64), []
    for number, batch in enumerate(frame_batches(store, rows, torch.device("cpu"))):
        assert store.reads <= number + 2
        assert batch.frames[:, 0, 0, 0].tolist() == batch.index.tolist()
        seen += batch.index.tolist()
    assert seen == rows.tolist()


def test_on_a_gpu_bytes_go_up_one_group_ahead_and_nobody_waits(stand_in):
    store, rows = Frames(320), np.arange(0, 200, dtype=np.int64)
    for number, batch in enumerate(frame_batches(store, rows, stand_in)):
        assert number + 1 < account.uploads or number == 6, "the next group is on its way"
        assert account.uploads <= number + 2 and store.reads <= number + 3
        assert (batch.frames.dtype, batch.frames.device) == (torch.uint8, stand_in)
    assert account.up_bytes == 200 * 12
    assert account.waits.total() == 0


def test_the_loader_of_no_frames_is_empty():
    assert not list(frame_batches(Frames(1), np.empty(0, dtype=np.int64), torch.device("cpu")))


STORE = SimpleNamespace(
    poses=np.zeros((99, 2, 3), dtype=np.float32),
    **{name: np.zeros(99) for name in ("subject", "action", "sequence", "camera", "frame")},
)


def results(*numbers):
    """A group of results and its numbers: what the writer is called with."""
    n = len(numbers)
    whole = {name: torch.zeros(n) for name in AttackResult.__dataclass_fields__}
    poses = {name: torch.zeros(n, 2, 3) for name in ("initial_pose", "final_pose")}
    frames = {
        name: torch.zeros(n, 3, 8, 8, dtype=torch.uint8) for name in ("initial_frame", "adversarial_frame")
    }
    return AttackResult(**whole | poses | frames | {"box": torch.zeros(n, 4)}), list(numbers)


class Shards:
    """A run directory that notes which samples each shard holds; before: called at each write."""

    def __init__(self, before=lambda: None):
        self.written, self.before = [], before

    def shard(self, name, number, table):
        self.before()
        self.written.append((name, number, table["index"].tolist()))


@pytest.fixture
def one_group_a_shard(monkeypatch):
    monkeypatch.setattr(writing, "SHARD_ROWS", 1)


@pytest.mark.usefixtures("one_group_a_shard")
def test_the_attack_goes_on_while_results_are_written():
    """The writer is stuck in its first group: as many as may wait are taken over all the same."""
    reached, go_on = threading.Event(), threading.Event()
    run = Shards(lambda: (reached.set(), go_on.wait(60)))
    with ShardWriter(run, STORE, pictured=(), numbers=iter(range(99))) as writer:
        writer(*results(0))
        assert reached.wait(60)
        for number in range(1, GROUPS_AHEAD + 1):
            writer(*results(number))
        assert not run.written
        go_on.set()
    assert [rows for name, _, rows in run.written if name == writing.SAMPLES] == [[0], [1], [2]]


@pytest.mark.usefixtures("one_group_a_shard")
def test_no_more_results_wait_than_may():
    handed, most = [], []
    run = Shards(lambda: most.append(len(handed) - len(run.written) // 2))
    with ShardWriter(run, STORE, pictured=(), numbers=iter(range(99))) as writer:
        for number in range(30):
            writer(*results(number))
            handed.append(number)
    assert len(run.written) == 60 and max(most) <= GROUPS_AHEAD + 2


@pytest.mark.usefixtures("one_group_a_shard")
def test_an_error_of_the_writer_stops_the_attack():
    def broken():
        raise OSError("broken")

    handed = 0
    with (
        pytest.raises(OSError, match="broken"),
        ShardWriter(Shards(broken), STORE, pictured=(), numbers=iter(range(99))) as writer,
    ):
        while handed < 10_000:
            writer(*results(handed % 99))
            handed += 1
    assert handed < 10_000


@pytest.mark.parametrize(
    ("limit", "value", "expected"),
    [
        ("SHARD_ROWS", 4, [[0, 1, 2, 3], [4, 5]]),
        ("SHARD_BYTES", 1500, [[0, 1, 2, 3], [4, 5]]),
        ("SHARD_SECONDS", 0.0, [[0, 1], [2, 3], [4, 5]]),
        ("SHARD_ROWS", 100, [[0, 1, 2, 3, 4, 5]]),
    ],
)
def test_shards_end_by_rows_bytes_or_time(monkeypatch, limit, value, expected):
    """Groups of two samples, whose pictures and numbers take 2·2·192 + 16 bytes."""
    monkeypatch.setattr(writing, limit, value)
    run = Shards()
    with ShardWriter(run, STORE, pictured=range(6), numbers=iter((0, 3, 4))) as writer:
        for start in (0, 2, 4):
            writer(*results(start, start + 1))
    numbers = (0, 3, 4)[: len(expected)]
    assert run.written == [
        (name, number, rows)
        for number, rows in zip(numbers, expected, strict=True)
        for name in ("adversarial", "samples.parquet")
    ]


def test_only_pictured_frames_come_to_the_host_and_the_attack_waits_for_none(stand_in):
    group, numbers = results(*range(8))
    run = Shards()
    with ShardWriter(run, STORE, pictured=(2, 5), numbers=iter((0,))) as writer:
        there = group.to(stand_in)
        account.clear()
        writer(there, numbers)
    assert ("adversarial", 0, [2, 5]) in run.written
    assert account.waits == {"an event": 1}, "the writer's own, on its thread"
    assert account.down_bytes < 4 * 192 + 8 * 500
