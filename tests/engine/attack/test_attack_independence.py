"""A sample's result is its own: it does not depend on what shares its batch, nor on the run."""

from dataclasses import replace

import pytest
import torch

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.calls import cut, judge_sizes, padded_calls, powers_of_two, step_sizes
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.state import Status
from dpa.models.training.checkpoint import load_network

TOLERANCES_MM = {torch.float64: 1e-6, torch.float32: 0.5}
"""Final error between batch sizes, the stated tolerance on a CPU. Steps, judge and preparation run in
calls of fixed size, and at the zoo's sizes the results are then the same bits; the odd matrix sizes of
this tiny network leave a rounding that depends on the place in a call, and tens of steps let it grow."""


SETTINGS = {
    "optimiser": "adam",
    "backend": "eager",
    "max_steps": 60,
    "step_size": 0.1,
    "min_error_mm": 80.0,
}


def run(world, batch, **config):
    config = AttackConfig(batch=batch, **SETTINGS | config)
    return appearance_attack(
        world.network, world.network, world.frames, world.plates, world.plate_index, config
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_batch_size_does_not_change_a_sample(tiny_world, dtype):
    world = tiny_world(samples=16, dtype=dtype)
    whole = run(world, batch=16)
    assert int(whole.success.sum()) >= 4
    assert len(set(whole.iterations.tolist())) > 4, "samples must leave at different times"
    for batch in (1, 3, 7):
        other = run(world, batch=batch)
        torch.testing.assert_close(
            other.final_error_mm, whole.final_error_mm, rtol=0, atol=TOLERANCES_MM[dtype]
        )
        assert torch.equal(other.success, whole.success)
        assert torch.equal(other.iterations, whole.iterations)


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request):
    """PyTorch's threads for one test."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_no_call_size_changes_a_bit_of_a_bundled_network():
    """As a resumed run needs it: its last samples meet in other calls than those of a run left alone."""
    network, cpu = load_network("zoo:nsd"), torch.device("cpu")
    dice = torch.Generator().manual_seed(3)
    frames = torch.rand(4, 3, 160, 160, generator=dice)
    codes = torch.randn(4, 128, generator=dice), torch.randn(4, 600, generator=dice)
    made = []
    for size in sorted({*step_sizes(64, cpu), *judge_sizes(cpu)}):
        for rows, taken in padded_calls(len(frames), (size,), cpu):
            painted = network.decode(*(code[rows] for code in codes))
            results = (network.predict(frames[rows]), *painted)
            made.append([result.detach()[:taken] for result in results])
    assert len(made) > 1
    for results in made:
        assert all(torch.equal(one, first) for one, first in zip(results, made[0], strict=True))


def test_a_sample_alone_equals_itself_among_others(tiny_world):
    world = tiny_world(samples=6)
    whole = run(world, batch=4)
    for sample in range(6):
        rows = torch.tensor([sample])
        alone = appearance_attack(
            world.network,
            world.network,
            world.frames[rows],
            world.plates,
            world.plate_index[rows],
            AttackConfig(**SETTINGS),
        )
        torch.testing.assert_close(alone.h_a, whole.h_a[rows], rtol=1e-7, atol=1e-7)


def test_the_same_run_twice_is_bitwise_equal(tiny_world):
    world = tiny_world(samples=5, dtype=torch.float32)
    first, second = run(world, batch=3), run(world, batch=3)
    for name in ("h_a", "final_error_mm", "iterations", "adversarial_frame", "success", "final_pose"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


def test_final_errors_can_be_confirmed_from_the_stored_frames(tiny_world):
    """The frame that is handed out, 8 bits a channel, is what the judge saw."""
    world = tiny_world(samples=5, dtype=torch.float32)
    result = run(world, batch=3)
    with torch.no_grad():
        pose = world.network.predict(result.adversarial_frame.float() / 255)
    error = (pose - result.initial_pose).norm(dim=-1).mean(-1)
    torch.testing.assert_close(error, result.final_error_mm, rtol=0, atol=1e-2)
    climbed = result.status != Status.STARTED_ABOVE
    assert torch.equal(result.success, (result.final_error_mm > 80) & climbed)


def test_a_frame_of_nan_among_others_disturbs_nobody(tiny_world):
    world = tiny_world(samples=6)
    healthy = torch.tensor([0, 1, 2, 4, 5])
    expected = run(world, batch=6).take(healthy)
    frames = world.frames.clone()
    frames[3, 1] = torch.nan
    found = run(replace(world, frames=frames), batch=6)
    assert found.status[3] == Status.NONFINITE
    assert not found.success[3]
    for name in ("final_error_mm", "h_a", "final_pose"):
        torch.testing.assert_close(
            getattr(found.take(healthy), name), getattr(expected, name), rtol=1e-7, atol=1e-6
        )


@pytest.mark.parametrize("sizes", [(16,), (16, 24, 32), *map(powers_of_two, (1, 2, 7, 256))])
def test_calls_take_every_row_once_and_waste_little(sizes):
    for count in range(1, 3 * sizes[-1]):
        calls = cut(count, sizes)
        assert sum(taken for taken, _ in calls) == count
        assert all(0 < taken <= size and size in sizes for taken, size in calls)
        assert sum(size for _, size in calls) <= max(1.25 * count, count + sizes[0] - 1, sizes[0])


def test_powers_of_two_end_at_the_batch():
    assert powers_of_two(1) == (1,)
    assert powers_of_two(6) == (1, 2, 4, 6)
    assert powers_of_two(8) == (1, 2, 4, 8)


def test_padding_repeats_a_row_of_the_same_call():
    calls = list(padded_calls(6, (4,), torch.device("cpu")))
    assert [(rows.tolist(), taken) for rows, taken in calls] == [([0, 1, 2, 3], 4), ([4, 5, 5, 5], 2)]
