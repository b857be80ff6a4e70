"""Memory that runs out: a smaller batch, the same results, one line that says so."""

import dataclasses
import logging

import numpy as np
import pytest
import torch

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.calls import OutOfMemory, in_halves, memory_ran_out, powers_of_two
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.steps.choice import make_backend

LEVELS = (10, 100, 150, 60, 20, 90, 120, 30, 70, 140, 50)
CPU_COMPLAINT = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
EXACT = ("h_a", "final_error_mm", "iterations", "adversarial_frame", "trace", "forwards", "backwards")


def with_small_memory(backend, fits, error):
    """A back-end for which memory suffices for `fits` rows at once, and the list of its calls."""
    calls = []

    def step(h_a, scene):
        calls.append(len(h_a))
        if len(h_a) > fits:
            raise error
        return backend.step(h_a, scene)

    return dataclasses.replace(backend, name="small", sizes=powers_of_two(8), step=step), calls


@pytest.fixture
def attack(linear_network, grey_frames):
    """(rows that fit, the error that says so) → result and calls of an attack on 8 samples at once."""

    def run(fits=8, error=None):
        network, frames = linear_network(offset=3), grey_frames(*LEVELS)
        # brighter frames have less room: their ascents end at different steps
        plates, index = (
            torch.zeros(1, 3, 8, 8, dtype=torch.float64),
            torch.zeros(len(frames), dtype=torch.int64),
        )
        config = AttackConfig(
            min_error_mm=110, max_steps=60, optimiser="sign", step_size=2, batch=8, backend="eager"
        )
        backend, calls = with_small_memory(make_backend(network, network, plates, config), fits, error)
        made = appearance_attack(network, network, frames, plates, index, config, backend=backend)
        return made, calls

    return run


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU_COMPLAINT), MemoryError()],
    ids=["cuda", "cpu", "python"],
)
def test_half_of_the_batch_waits_and_every_result_is_the_same(attack, error, caplog):
    whole, _ = attack()
    assert 0 < int(whole.success.sum()) < len(LEVELS)
    with caplog.at_level(logging.WARNING):
        tight, calls = attack(3, error)
    for name in EXACT:
        np.testing.assert_array_equal(getattr(tight, name), getattr(whole, name), err_msg=name)
    assert calls[:3] == [8, 4, 2], "halved until it fits"
    assert max(calls[3:]) <= 2, "and not tried again"
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "out of memory with 8 samples at once, going on with 4",
        "out of memory with 4 samples at once, going on with 2",
    ]


def test_judge_and_preparation_do_with_less_too(linear_network, grey_frames):
    """A target that predicts no more than two frames at once."""
    plates, frames = torch.zeros(1, 3, 8, 8, dtype=torch.float64), grey_frames(*LEVELS)
    index, config = (
        torch.zeros(len(LEVELS), dtype=torch.int64),
        AttackConfig(min_error_mm=40, optimiser="adam", step_size=2, backend="eager"),
    )
    network = linear_network(offset=3)
    whole = appearance_attack(network, network, frames, plates, index, config)
    predict, sizes = network.predict, []

    def small(seen):
        sizes.append(len(seen))
        if len(seen) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return predict(seen)

    network.predict = small
    tight = appearance_attack(network, network, frames, plates, index, config)
    assert {4, 2} <= set(sizes)
    for name in EXACT:
        np.testing.assert_array_equal(getattr(tight, name), getattr(whole, name), err_msg=name)


def test_memory_that_does_not_suffice_for_one_sample_is_a_named_error(attack):
    with pytest.raises(OutOfMemory, match="one sample"):
        attack(0, MemoryError())


def test_other_errors_are_not_taken_for_it(attack):
    with pytest.raises(RuntimeError, match="shape"):
        attack(4, RuntimeError("shape mismatch"))
    assert not memory_ran_out(ValueError("shape"))


def test_work_is_halved_until_it_fits_and_keeps_its_order():
    def work(rows):
        if len(rows) > 3:
            raise MemoryError
        return 10 * rows

    parts = in_halves(work, torch.arange(11))
    assert torch.cat(parts).tolist() == [10 * row for row in range(11)]
    assert max(map(len, parts)) == 3
