"""Samples at the start of their attack, for measurements of single steps."""

from collections.abc import Callable

import torch
from torch import Tensor

from dpa.bench.attack_rows import Task
from dpa.engine.attack.algorithm import Preparation
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.state import FrameBatch, Scene


def first_scene(task: Task, prefix: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Scene]:
    """h_a⁰ [n, A] and the scene of every sample. prefix: the step back-end's own (none: [n, 0])."""
    preparation = Preparation(
        task.generator,
        Judge(task.generator, task.target, task.plates),
        lambda frames: task.target.predict(frames).detach(),
        prefix or (lambda pose_code: pose_code.new_empty(len(pose_code), 0)),
        max_steps=0,
    )
    number = torch.arange(len(task), device=task.frames.device)
    slots = preparation.prepare(FrameBatch(number, task.frames, task.plate_index))
    return slots.h_a, slots.scene
