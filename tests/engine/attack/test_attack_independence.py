"""A sample's result is its own: it does not depend on what shares its batch, nor on the run."""

from dataclasses import replace

import pytest
import torch

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.buckets import bucket_sizes, cut
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.result import Status

TOLERANCES = {torch.float64: 1e-6, torch.float32: 2.0}
"""Final error in mm between batch sizes. Batched kernels round differently, and up to 60 steps of Adam
carry the rounding on; an 8-bit level of the judged frame may flip with it."""


def run(world, batch, **config):
    config = AttackConfig(batch=batch, **{"max_steps": 60, "step_size": 0.1, "min_error_mm": 150.0} | config)
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
        torch.testing.assert_close(other.final_error_mm, whole.final_error_mm, rtol=0, atol=TOLERANCES[dtype])
        assert torch.equal(other.success, whole.success)
        if dtype is torch.float64:
            assert torch.equal(other.iterations, whole.iterations)


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
            AttackConfig(max_steps=60, step_size=0.1, min_error_mm=150.0),
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
    assert torch.equal(result.success, result.final_error_mm > 150)


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


@pytest.mark.parametrize("largest", [1, 2, 7, 32, 256])
def test_buckets_end_at_the_batch_and_cover_every_count(largest):
    sizes = bucket_sizes(largest)
    assert sizes[-1] == largest
    assert list(sizes) == sorted(set(sizes))
    for count in range(1, 3 * largest):
        calls = cut(count, sizes)
        assert sum(taken for taken, _ in calls) == count
        assert all(taken <= size and size in sizes for taken, size in calls)
        assert sum(size for _, size in calls) <= count / 0.75
