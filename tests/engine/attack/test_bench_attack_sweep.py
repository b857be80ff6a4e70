"""bench attack --sweep: each series at each of its step sizes, a picture, and names that are refused."""

import json

import pytest
import torch
from typer.testing import CliRunner

from dpa.bench import attack, roofline
from dpa.bench.attack import sweep_attack
from dpa.bench.attack_contenders import NotTheirOptimiser, UnknownContender, as_commanded, make_contenders
from dpa.bench.attack_rows import Task
from dpa.engine.attack.config import STEP_SIZES, AttackConfig
from dpa.engine.cli.app import app


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
        ("auto-same", "adam", 0.1),
        ("auto-same", "adam", 0.3),
        ("auto", "polyak", 1.0),
    ]
    plain, ours = rows[1], rows[3]
    assert plain["psnr_db"] == pytest.approx(ours["psnr_db"], abs=0.5), "same optimiser, same step size"


def test_an_unknown_series_is_refused(task):
    with pytest.raises(UnknownContender, match="auto-same"):
        sweep_attack(task, AttackConfig(), ["eager"], 2, 1, lambda: None, lambda _: None)


@pytest.mark.parametrize("name", ["plain", "foolbox"])
def test_a_loop_without_the_engines_optimiser_does_not_pretend_to_have_it(task, name):
    with pytest.raises(NotTheirOptimiser, match=rf"{name} with polyak"):
        make_contenders([name], task, AttackConfig(optimiser="polyak"), 2)


def test_auto_attacks_as_the_command_does():
    config = as_commanded(AttackConfig(optimiser="adam", step_size=0.7, max_steps=9))
    assert (config.optimiser, config.step_size, config.max_steps) == ("polyak", STEP_SIZES["polyak"], 9)


def test_the_command_draws_the_front(task, monkeypatch, tmp_path):
    monkeypatch.setitem(roofline.SIDE, "cpu", 64)
    monkeypatch.setattr("dpa.bench.attack.load_task", lambda *_: task)
    monkeypatch.setitem(attack.SWEPT, "polyak", (0.2,))
    path = tmp_path / "front.png"
    arguments = ["bench", "attack", "--sweep", "--name", "auto", "--max-steps", "2", "--min-error", "60"]
    made = json.loads(CliRunner().invoke(app, [*arguments, "--plot", str(path), "--json"]).stdout)
    assert [row["series"] for row in made["rows"]] == ["auto"]
    assert "--sweep" in made["rows"][0]["command"]
    assert made["load_average"] >= 0 and made["date"].startswith("20")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_disturbed_machine_may_have_its_processor_time_drawn(tmp_path):
    point = {"series": "auto", "optimiser": "adam", "step_size": 0.5, "success_rate": 1.0, "psnr_db": 30.0}
    paths = []
    for rate in attack.RATES:
        rows = [point | dict.fromkeys(attack.RATES, 1.0) | {rate: value} for value in (1.0, 2.0)]
        paths += [tmp_path / f"{rate}-{other}.png" for other in attack.RATES]
        for path, other in zip(paths[-2:], attack.RATES, strict=True):
            attack.plot_sweep(rows, path, "a title", other)
    pictures = [path.read_bytes() for path in paths]
    assert pictures[0] != pictures[1] and pictures[2] != pictures[3]
    assert pictures[0] != pictures[2], "the other rate was drawn"
