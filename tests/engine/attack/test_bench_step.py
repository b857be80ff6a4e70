"""bench step: what is counted against figures by hand, the plain step against the eager one, and the
document. How fast a machine is, is not asserted."""

import json

import pytest
import torch
from typer.testing import CliRunner

from dpa.bench import roofline
from dpa.bench.attack_rows import Task
from dpa.bench.step import measure_steps, plain_step, plot_steps
from dpa.bench.timing import peak_mb
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.steps.eager import eager_step, probe
from dpa.engine.cli.app import app


@pytest.fixture
def task(tiny_world):
    world = tiny_world(3, torch.float32)
    return Task(world.network, world.network, world.frames, world.plates, world.plate_index)


def test_counts_flops_and_bytes_of_a_matrix_product():
    a, b = torch.rand(4, 5), torch.rand(5, 6)
    gflop, gb = roofline.count(lambda: a @ b)
    assert gflop == pytest.approx(2 * 4 * 5 * 6 / 1e9)
    assert gb == pytest.approx(4 * (20 + 30 + 24) / 1e9)


def test_views_move_nothing():
    assert roofline.count(lambda: torch.rand(()).new_empty(0).reshape(0, 1).t())[1] <= 1e-8


def test_the_plain_step_has_eagers_value_and_gradient(tiny_world):
    world = tiny_world(2)
    objective = Objective(world.network, world.network, world.plates, freeze_box=False, clamp=True)
    plain, eager = plain_step(objective, (4,)).step, eager_step(objective, (4,)).step
    h_a, scene = probe(objective, eager_step(objective, (4,)).prefix, 4, seed=0)
    torch.testing.assert_close(plain(h_a, scene).error, eager(h_a, scene).error, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(plain(h_a, scene).gradient, eager(h_a, scene).gradient, rtol=1e-4, atol=1e-4)


def test_rows_are_consistent(task):
    rows = measure_steps(task, ["plain", "fused"], [1, 4], duration_s=0, rounds=2)
    assert [(row["name"], row["batch"]) for row in rows] == [
        ("plain", 1),
        ("fused", 1),
        ("plain", 4),
        ("fused", 4),
    ]
    for row in rows:
        assert row["samples_per_s"] == pytest.approx(1e3 * row["batch"] / row["step_ms"])
        assert row["flop_per_byte"] > 0
    per_sample = {row["achieved_gflops"] / row["samples_per_s"] for row in rows}
    assert max(per_sample) == pytest.approx(min(per_sample)), "all are credited with the same arithmetic"


def test_peak_memory_notices_an_allocation():
    device = torch.device("cpu")
    small = peak_mb(lambda: None, device)
    large = peak_mb(lambda: torch.ones(40 << 18).sum(), device)
    if small is None:
        pytest.skip("this system does not tell a process's peak memory")
    assert large > small + 30


def test_the_command_prints_json_and_draws(task, monkeypatch, tmp_path):
    monkeypatch.setitem(roofline.SIDE, "cpu", 64)
    monkeypatch.setattr(roofline, "COPIED_MB", 1)
    monkeypatch.setattr("dpa.bench.step.load_task", lambda *_: task)
    path = tmp_path / "step.png"
    monkeypatch.setattr(
        "dpa.bench.step.count_loop",
        lambda *_, **__: {"host_waits_per_iteration": 1.0, "bytes_moved_per_iteration": 2e6},
    )
    arguments = ["bench", "step", "--name", "eager", "--name", "fused", "--batch", "2", "--seconds", "0"]
    ran = CliRunner().invoke(app, [*arguments, "--rounds", "1", "--plot", str(path), "--json"])
    made = json.loads(ran.stdout)
    assert [row["name"] for row in made["rows"]] == ["eager", "fused"]
    assert made["host_waits_per_iteration"] == 1
    assert all("--batch 2" in row["command"] for row in made["rows"])
    assert made["matmul_gflops"] > 0 and made["achieved_gflops"] > 0 and made["memory_gb_per_s"] > 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_plots_what_a_graph_hides(tmp_path):
    row = {
        "name": "compiled",
        "batch": 1,
        "samples_per_s": 9.0,
        "achieved_gflops": 5.0,
        "flop_per_byte": None,
    }
    plot_steps([row], {"float32": 50.0}, 10.0, tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 1000
