"""bench attack --sweep: each series at each of its step sizes, a picture, and names that are refused."""

import json

import pytest
import torch
from typer.testing import CliRunner

from dpa.bench import attack_sweep, matmul
from dpa.bench.attack_contenders import UnknownContender, adaptive
from dpa.bench.attack_rows import Task
from dpa.bench.attack_sweep import sweep_attack
from dpa.engine.attack.config import STEP_SIZES, AttackConfig
from dpa.engine.cli import app


@pytest.fixture
def task(tiny_world):
    world = tiny_world(3, torch.float32)
    return Task(world.network, world.network, world.frames, world.plates, world.plate_index)


def test_every_series_at_every_step_size(task):
    sizes = {"adam": (0.1, 0.3), "polyak": (1.0,)}
    config = AttackConfig(max_steps=2, min_error_mm=80)
    rows = sweep_attack(task, config, None, 2, 1, lambda: None, lambda _: None, sizes)
    found = [(row["series"], row["optimiser"], row["step_size"]) for row in rows]
    assert found == [
        ("plain", "adam", 0.1),
        ("plain", "adam", 0.3),
        ("auto", "adam", 0.1),
        ("auto", "adam", 0.3),
        ("auto-polyak", "polyak", 1.0),
    ]
    plain, ours = rows[1], rows[3]
    assert plain["psnr_db"] == pytest.approx(ours["psnr_db"], abs=0.5), "same optimiser, same step size"


def test_an_unknown_series_is_refused(task):
    with pytest.raises(UnknownContender, match="auto-polyak"):
        sweep_attack(task, AttackConfig(), ["eager"], 2, 1, lambda: None, lambda _: None)


def test_the_adaptive_contender_has_its_own_step_size():
    config = adaptive(AttackConfig(optimiser="adam", step_size=0.7, max_steps=9))
    assert (config.optimiser, config.step_size, config.max_steps) == ("polyak", STEP_SIZES["polyak"], 9)


def test_the_command_draws_the_front(task, monkeypatch, tmp_path):
    monkeypatch.setitem(matmul.SIDE, "cpu", 64)
    monkeypatch.setattr("dpa.bench.attack_task.load_task", lambda *_: task)
    monkeypatch.setitem(attack_sweep.STEP_SIZES, "adam", (0.2,))
    path = tmp_path / "front.png"
    arguments = ["bench", "attack", "--sweep", "--name", "auto", "--max-steps", "2", "--min-error", "60"]
    made = json.loads(CliRunner().invoke(app, [*arguments, "--plot", str(path), "--json"]).stdout)
    assert [row["series"] for row in made["rows"]] == ["auto"]
    assert "--sweep" in made["rows"][0]["command"]
    assert path.read_bytes().startswith(b"\x89PNG")
