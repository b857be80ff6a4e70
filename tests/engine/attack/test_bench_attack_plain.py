"""The yardstick of `bench attack`, in the attack's own small worlds: the plain loop against closed forms
and against the engine, and the measurement around it."""

import json
from importlib import import_module

import pytest
import torch
from typer.testing import CliRunner

from dpa.bench import roofline
from dpa.bench.attack import measure_attack
from dpa.bench.attack_contenders import UnknownContender, make_contenders
from dpa.bench.attack_expert import expert_attack
from dpa.bench.attack_plain import plain_attack
from dpa.bench.attack_rows import Contender, Pictures, Source, Task, ratios, row, run_in_turns
from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.cli.app import app
from dpa.engine.evaluation_set import take_samples


@pytest.fixture(autouse=True)
def small_matrices(monkeypatch):
    monkeypatch.setitem(roofline.SIDE, "cpu", 64)


def grey_task(linear_network, grey_frames, *levels, **network):
    net = linear_network(**network)
    plates = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    return Task(net, net, grey_frames(*levels), plates, torch.zeros(len(levels), dtype=torch.int64))


def tiny_task(world):
    return Task(world.network, world.network, world.frames, world.plates, world.plate_index)


@pytest.mark.parametrize("optimiser", ["adam", "sign"])
def test_plain_reaches_the_closed_form_outcome(linear_network, grey_frames, optimiser):
    """From an offset of 3 levels in steps of 2, error 3 + 2k exceeds 40 first at k = 19."""
    task = grey_task(linear_network, grey_frames, 10, 100, offset=3)
    config = AttackConfig(min_error_mm=40, optimiser=optimiser, step_size=2, backend="eager")
    made = plain_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    torch.testing.assert_close(made.h_a[:, 0], torch.tensor([51.0, 141.0]).double(), rtol=0, atol=1e-4)
    assert (made.before[:, 0, 0, 0] == torch.tensor([13, 103])).all()
    assert (made.after[:, 0, 0, 0] == torch.tensor([51, 141])).all()
    assert made.computed == 2 * 20


def test_the_batch_goes_on_until_its_last_sample_is_done(linear_network, grey_frames):
    """Grey 250 can never move by 40 levels: its batch runs to the end, and the other sample's result
    stays its first code above the threshold."""
    task = grey_task(linear_network, grey_frames, 100, 250, offset=3)
    config = AttackConfig(min_error_mm=40, optimiser="sign", step_size=2, max_steps=30, backend="eager")
    made = plain_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    assert made.computed == 2 * 31
    torch.testing.assert_close(made.h_a[0, 0], torch.tensor(141.0).double(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "sign"])
def test_plain_ends_where_the_engine_ends(tiny_world, optimiser):
    world = tiny_world(6)
    task, step = tiny_task(world), {"adam": 0.1, "sgd": 0.1, "sign": 0.05}[optimiser]
    config = AttackConfig(optimiser=optimiser, step_size=step, max_steps=25, min_error_mm=90, backend="eager")
    made = plain_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    ours = appearance_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    assert 0 < int(ours.success.sum()) < 6 or ours.success.all()
    torch.testing.assert_close(made.h_a, ours.h_a, rtol=0, atol=1e-4)


def test_the_expert_lets_go_of_samples_that_are_done(linear_network, grey_frames):
    """Grey 250 can never move by 40 levels: the other sample leaves the batch, and it goes on alone."""
    task = grey_task(linear_network, grey_frames, 100, 250, offset=3)
    config = AttackConfig(min_error_mm=40, optimiser="sign", step_size=2, max_steps=30, backend="eager")
    made = expert_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    assert made.computed < 2 * 31 - 5
    assert made.h_a[0, 0] == pytest.approx(141, abs=4), "bf16 rounds grey levels"
    assert made.after[0, 0, 0, 0] - 100 > 40


def test_the_expert_succeeds_as_the_engine_does(tiny_world):
    task = tiny_task(tiny_world(6, torch.float32))
    config = AttackConfig(step_size=1, max_steps=25, min_error_mm=90, backend="eager")
    made = expert_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    ours = appearance_attack(task.generator, task.target, task.frames, task.plates, task.plate_index, config)
    seen = task.target.predict(made.after.float() / 255)
    error = (seen - made.reference).norm(dim=-1).mean(dim=-1)
    assert abs(int((error > 90).sum()) - int((ours.final_error_mm > 90).sum())) <= 1
    assert torch.equal(made.before, ours.initial_frame)


def test_the_command_is_timed_with_all_that_it_writes(tiny_world, tiny_store, monkeypatch):
    monkeypatch.setattr("dpa.bench.attack_contenders.default_natural_set", lambda: tiny_store)
    monkeypatch.setattr("dpa.bench.attack_contenders.cached_pose_session", lambda network: None)
    commanded = import_module("dpa.engine.api.attack")  # the package offers a function of this name
    monkeypatch.setattr(commanded, "cached_pose_session", lambda network: network.predict)
    network = tiny_world(1, torch.float32, odd=False).network
    some = take_samples(tiny_store, 5)
    source = Source(tiny_store, "tiny", 5, 0)
    task = Task(network, network, some.frames, some.plates, some.plate_index, source)
    (one,) = make_contenders(["command"], task, AttackConfig(max_steps=2, min_error_mm=80), 4)
    (piece,) = one.pieces
    made = piece()
    assert made.before.shape == made.after.shape == (5, 3, 32, 32)
    assert 5 <= made.computed <= 15
    before = appearance_attack(
        network, network, some.frames, some.plates, some.plate_index, AttackConfig(max_steps=0)
    )
    assert torch.equal(made.before, before.initial_frame), "in the order of the task"


def test_pieces_take_turns_in_proportion():
    said = []
    pictures = Pictures(torch.zeros(1), torch.zeros(1), 1)

    def piece(name):
        return lambda: said.append(name) or pictures

    contenders = [Contender("many", [piece("m")] * 4), Contender("one", [piece("o")])]
    run_in_turns(contenders, rounds=2)
    assert said == ["m", "m", "o", "m", "m"] * 2
    assert [len(one.rounds) for one in contenders] == [len(one.cpu_rounds) for one in contenders] == [2, 2]
    assert len(contenders[0].pictures) == 4, "those of the last round"


def test_a_row_is_judged_on_its_pictures(linear_network, grey_frames):
    """From grey 100 to 140 and 150: 40 and 50 mm; PSNR of a change by d levels is 20·log10(255/d)."""
    task = grey_task(linear_network, grey_frames, 100, 100)
    before = torch.full((2, 3, 8, 8), 100, dtype=torch.uint8)
    after = before.clone()
    after[0] += 40
    after[1] += 50
    one = Contender("x", [], rounds=[3.0, 1.0, 2.0], cpu_rounds=[4.0], pictures=[Pictures(before, after, 8)])
    line = row(one, task, min_error_mm=45)
    assert (line["samples_per_s"], line["sample_iterations_per_s"]) == (1.0, 4.0)
    assert (line["samples_per_cpu_s"], line["cpu_ms_per_iteration"]) == (0.5, 500.0)
    assert line["success_rate"] == 0.5 and line["mpjpe_final_mm"] == pytest.approx(45, abs=1e-6)
    expected = 10 * torch.tensor([255**2 / 1600, 255**2 / 2500]).log10().mean()
    assert line["psnr_db"] == pytest.approx(float(expected), abs=1e-5)


def test_ratios_are_named_after_both():
    rows = [{"name": "a", "samples_per_s": 6.0}, {"name": "b", "samples_per_s": 2.0}]
    assert ratios(rows, "samples_per_s") == {"a/b": 3.0, "b/a": pytest.approx(1 / 3)}


def test_the_document_has_the_agreed_keys_and_the_same_outcome(tiny_world):
    task = tiny_task(tiny_world(6, torch.float32))
    config = AttackConfig(optimiser="adam", max_steps=5, step_size=0.1, min_error_mm=80)
    made = measure_attack(task, config, ["plain", "eager"], 4, 1, "again", lambda _: None)
    agreed = "name samples_per_s sample_iterations_per_s success_rate mpjpe_final_mm psnr_db"
    for line in made["rows"]:
        assert set(agreed.split()) <= set(line)
        assert line["command"] == f"again --name {line['name']}"
    assert {"plain/eager", "eager/plain"} == set(made["ratios"])
    assert made["matmul_gflops"] > 0 and made["achieved_gflops"] > 0 and made["device"]
    plain, eager = made["rows"]
    assert plain["success_rate"] == eager["success_rate"]
    assert plain["mpjpe_final_mm"] == pytest.approx(eager["mpjpe_final_mm"], abs=0.5)
    json.dumps(made)


def test_an_unknown_name_is_refused(tiny_world):
    with pytest.raises(UnknownContender, match="plain"):
        make_contenders(["fast"], tiny_task(tiny_world(1)), AttackConfig(optimiser="adam"), 4)


def test_the_command_prints_json_alone(monkeypatch, tiny_world):
    task = tiny_task(tiny_world(4, torch.float32))
    monkeypatch.setattr("dpa.bench.attack.load_task", lambda *_: task)
    arguments = ["bench", "attack", "--max-steps", "1", "--name", "plain", "--name", "eager"]
    made = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [line["name"] for line in made["rows"]] == ["plain", "eager"]
    assert "--name plain --name eager" in made["command"]
    assert "PSNR" in CliRunner().invoke(app, arguments).stdout
