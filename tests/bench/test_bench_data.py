"""The measurements themselves: what they time, and what they print."""

import json
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from dpa.bench.timing import measure
from dpa.engine.cli.app import app


def test_only_calls_after_the_warm_up_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    durations = iter([100.0, 1.0, 2.0, 3.0, 4.0, 5.0])  # the first call is the slow one
    waits: list[float] = []

    def work() -> None:
        clock[0] += next(durations)

    def synchronise() -> None:
        waits.append(clock[0])

    timing = measure(work, duration_s=15.0, warm_up_s=50.0, synchronise=synchronise)
    assert (timing.repeats, timing.mean_s, timing.p50_s, timing.max_s) == (5, 3.0, 3.0, 5.0)
    assert len(waits) == 6


def test_three_calls_at_least() -> None:
    assert measure(lambda: None, duration_s=0, warm_up_s=0).repeats >= 3


def test_the_command_prints_its_figures(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    arguments = [
        "bench",
        "data",
        "--frames",
        "50",
        "--size",
        "8",
        "--batch",
        "4",
        "--warm",
        "20",
        "--seconds",
        "0.01",
    ]
    result = CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path), "--json"])
    torch.set_num_threads(threads)
    found = json.loads(result.stdout)
    assert found["frames"] == 50 and found["open"]["p50_s"] > 0
    assert found["uint8"]["images_per_s"] == pytest.approx(4 / found["uint8"]["p50_s"])
    assert list(tmp_path.iterdir()) == []
    assert "images/s" in CliRunner().invoke(app, arguments).stdout
    torch.set_num_threads(threads)
