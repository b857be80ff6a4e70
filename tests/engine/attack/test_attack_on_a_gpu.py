"""The whole attack on a device that is not the CPU: every step back-end that needs no CUDA, the run with
loader, judge, plates and writer. Results are the CPU's to 0.1 mm: an operation may round otherwise."""

import dataclasses

import numpy as np
import pytest
import torch

from dpa.bench.stand_in import account
from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig, AttackRunConfig
from dpa.engine.attack.run import Networks, run_attack
from dpa.engine.attack.writer import read_samples
from dpa.engine.runs.directory import RunDirectory

NEAR_MM = 0.1


@pytest.mark.parametrize(
    ("backend", "optimiser"),
    [
        ("eager", "adam"),
        ("eager", "polyak"),
        ("fused", "polyak"),  # not Adam, who magnifies bf16's rounding
        ("auto", "polyak"),
    ],
)
def test_an_attack_ends_as_on_the_cpu(tiny_world, stand_in, backend, optimiser):
    world = tiny_world(5, torch.float32, odd=False)
    config = AttackConfig(
        backend=backend, optimiser=optimiser, step_size=0.1, min_error_mm=80, max_steps=6, batch=4
    )
    given = (world.frames, world.plates, world.plate_index)
    here = appearance_attack(world.network, world.network, *given, config)
    network = world.network.to(stand_in)
    there = appearance_attack(network, network, *(tensor.to(stand_in) for tensor in given), config)
    for field in dataclasses.fields(there):
        assert getattr(there, field.name).device in (stand_in, torch.device("cpu")), field.name
    torch.testing.assert_close(
        there.initial_error_mm.cpu(), here.initial_error_mm, rtol=0, atol=NEAR_MM, check_device=False
    )
    if backend != "auto":  # what auto picks is a matter of time
        near = NEAR_MM if backend == "eager" else 0.5  # bf16, in calls of other sizes
        torch.testing.assert_close(there.final_error_mm.cpu(), here.final_error_mm, rtol=0, atol=near)
        assert there.iterations.tolist() == here.iterations.tolist()


def test_memory_that_runs_out_there_halves_the_batch(tiny_world, stand_in, caplog):
    world = tiny_world(8, torch.float32, odd=False)
    network = world.network.to(stand_in)
    given = [tensor.to(stand_in) for tensor in (world.frames, world.plates, world.plate_index)]
    config = AttackConfig(backend="eager", min_error_mm=80, step_size=0.1, max_steps=3, batch=8)
    whole = appearance_attack(network, network, *given, config)
    account.limit_bytes = 100_000  # eight samples' frames fit, the decoder's last feature map does not
    halved = appearance_attack(network, network, *given, config)
    assert "out of memory" in caplog.text
    torch.testing.assert_close(halved.final_error_mm.cpu(), whole.final_error_mm.cpu(), rtol=0, atol=NEAR_MM)


def run(store, world, folder, device, samples=7):
    config = AttackRunConfig(
        target="tiny",
        backend="eager",
        min_error_mm=80,
        step_size=0.1,
        max_steps=4,
        batch=3,
        samples=samples,
        pictures=2,
    )
    directory = RunDirectory.create(folder, "attack", config.model_dump(mode="json"))
    network = world.network.to(device)
    rows = np.arange(samples)
    results = run_attack(directory, Networks(network, network), store, rows, config)
    return results["device"], read_samples(directory, ["index", "initial_error_mm", "final_error_mm"])


def test_a_run_with_its_loader_plates_and_writer(tiny_world, tiny_store, stand_in, tmp_path):
    world = tiny_world(1, torch.float32, odd=False)
    _, here = run(tiny_store, world, tmp_path / "here", torch.device("cpu"))
    name, there = run(tiny_store, world, tmp_path / "there", stand_in)
    assert "stand-in" in name
    for key in ("initial_error_mm", "final_error_mm"):
        by_sample = [dict(zip(run["index"], run[key], strict=True)) for run in (here, there)]
        assert by_sample[1] == pytest.approx(by_sample[0], abs=NEAR_MM)
