"""The proof of long runs: a process that is watched and killed, and a comparison that misses nothing."""

import os
from pathlib import Path

import numpy as np
import pytest

from dpa.bench import long_run
from dpa.bench.long_run import AttackFailed, compare_runs, resident_mb, stored, watch
from dpa.engine.runs.directory import RunDirectory

ORDERS = {"one": [[0, 1], [2, 3]], "other": [[3, 0, 1], [2]]}


def write_run(path: Path, order, error=None, speed=1.0):
    """Four samples in two shards; `error`: the final error of sample 2."""
    columns = {
        "index": np.arange(4),
        "final_error_mm": np.array([1.0, np.nan, 3.0 if error is None else error, 4.0], dtype=np.float32),
        "trace": np.array([[1, np.nan]] * 4, dtype=np.float32),
        "subject": np.array(["S1", "S5", "S1", "S5"]),
    }
    with RunDirectory.create(path, "attack", {}) as run:
        for number, rows in enumerate(order):
            part = {name: column[rows] for name, column in columns.items()}
            run.shard("samples.parquet", number, part | {"elapsed_s": np.full(len(rows), speed)})
        run.write_json("results.json", {"n": 4, "throughput": {"samples_per_s": speed}})
    return path


def test_order_and_speed_do_not_count(tmp_path):
    one, other = (write_run(tmp_path / name, order, speed=len(name)) for name, order in ORDERS.items())
    found = compare_runs(one, other)
    assert found == {
        "equal": True,
        "results_equal": True,
        "samples": 4,
        "samples_unequal": 0,
        "columns_unequal": [],
        "largest_error_difference_mm": 0.0,
    }


def test_one_figure_of_one_sample_counts(tmp_path):
    one = write_run(tmp_path / "one", ORDERS["one"])
    other = write_run(tmp_path / "other", ORDERS["other"], error=3.25)
    found = compare_runs(one, other)
    assert not found["equal"]
    assert (found["samples_unequal"], found["columns_unequal"]) == (1, ["final_error_mm"])
    assert found["largest_error_difference_mm"] == 0.25


def test_other_samples_are_not_equal(tmp_path):
    one = write_run(tmp_path / "one", ORDERS["one"])
    other = write_run(tmp_path / "other", [[0, 1, 2]])
    assert not compare_runs(one, other)["equal"]


@pytest.mark.parametrize(
    ("before", "kill_at", "counts"), [(0, 6, [3, 5, 6, 7]), (6, 6, [6, 6, 8, 8])], ids=["new", "resumed"]
)
def test_a_process_is_killed_when_it_has_stored_enough(tmp_path, monkeypatch, before, kill_at, counts):
    """A resumed one, however much there was before it, only after it has stored something itself."""
    answers = iter([before, *counts])
    monkeypatch.setattr(long_run, "START", "import time; time.sleep(60)")
    monkeypatch.setattr(long_run, "stored", lambda run: next(answers))
    seen = watch([], tmp_path, kill_at=kill_at)
    assert seen.killed_at == counts[-1], "counted again once it is dead"
    assert [count for count, _ in seen.memory] == counts[:-1]
    assert seen.seconds < 30


def test_an_attack_that_fails_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(long_run, "START", "raise SystemExit(3)")
    with pytest.raises(AttackFailed, match="exit code 3"):
        watch(["somewhere"], tmp_path)


def test_stored_samples_and_memory(tmp_path):
    run = write_run(tmp_path / "one", ORDERS["one"])
    (run / "samples.parquet" / "00002.parquet").write_bytes(b"PAR1")
    assert stored(run) == 4
    assert stored(tmp_path) == 0
    assert 10 < resident_mb(os.getpid()) < 20_000
