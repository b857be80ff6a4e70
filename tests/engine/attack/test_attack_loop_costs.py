"""What the loop around the steps costs a GPU: bounds on waits and bytes, counted on the stand-in."""

import torch

from dpa.bench.attack_rows import Task
from dpa.bench.loop import count_loop


def costs(world, **sizes):
    task = Task(world.network, world.network, world.frames, world.plates, world.plate_index)
    return count_loop(task, **sizes)


def test_the_host_waits_once_an_iteration_and_frames_do_not_travel(tiny_world):
    world = tiny_world(40, torch.float32, odd=False)
    small = costs(world, batch=16, frames=8, side=32)
    assert 0 < small["host_waits_per_iteration"] <= 1.15, "one each, one before the first, one after the last"
    large = costs(world, batch=16, frames=8, side=128)
    assert large["bytes_moved_per_iteration"] == small["bytes_moved_per_iteration"] < 200_000
