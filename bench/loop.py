"""What an iteration of the attack costs beside its step: how often the host waits for the device, and what is
moved there. Counted on the stand-in, so that it is known without a GPU."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.bench.attack_rows import Task
from dpa.bench.stand_in import account, install
from dpa.engine.attack.algorithm import appearance_attack, attack_stream
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import FrameBatch, Scene
from dpa.engine.attack.steps.eager import Step, StepBackend, StepResult, eager_step, no_prefix

WARM, COUNTED = 2, 4
"""Iterations before bytes are counted, and those whose bytes are."""


GROUP = 8
"""Frames that are prepared together: large ones fill the memory of a small machine."""

MOST_MM = 1e9
"""A threshold that no sample is above from the start."""


class _Enough(Exception):
    """All that was to be counted has been."""


def count_loop(
    task: Task, batch: int = 64, max_steps: int = 20, frames: int = 256, side: int = 1000
) -> dict[str, float]:
    """host_waits_per_iteration: of a whole attack on the task's samples with the eager step, preparation,
    judge and results included. bytes_moved_per_iteration: in and out of every operation on the device but the
    step's own, with `frames` samples in slots whose frames are side² pixels, while none enters or leaves."""
    there = _on_the_stand_in(task)
    waits, iterations = _waits(there, AttackConfig(backend="eager", batch=batch, max_steps=max_steps))
    return {
        "host_waits_per_iteration": waits / iterations,
        "bytes_moved_per_iteration": _bytes(there, frames, side),
    }


def _on_the_stand_in(task: Task) -> Task:
    device = install()

    def moved(network: nn.Module) -> nn.Module:
        return copy.deepcopy(network).to(device)

    same = id(task.target) == id(task.generator)
    generator = moved(task.generator)  # type: ignore[arg-type]
    target = generator if same else moved(task.target)  # type: ignore[arg-type]
    tensors = (task.frames, task.plates, task.plate_index)
    return Task(generator, target, *(tensor.cpu().to(device) for tensor in tensors))  # type: ignore[arg-type]


def _waits(task: Task, config: AttackConfig) -> tuple[int, int]:
    """(waits, iterations) of an attack."""
    objective = Objective(task.generator, task.target, task.plates, config.freeze_box, config.clamp)
    eager, calls = eager_step(objective, (config.batch,)), []

    def step(h_a: Tensor, scene: Scene) -> StepResult:
        calls.append(len(h_a))
        return eager.step(h_a, scene)

    account.clear()
    given = (task.generator, task.target, task.frames, task.plates, task.plate_index)
    appearance_attack(*given, config, backend=replace(eager, step=step))
    return account.waits.total(), len(calls)


def _bytes(task: Task, frames: int, side: int) -> float:
    large = F.interpolate(task.frames[:GROUP], size=(side, side), mode="nearest")
    plates = F.interpolate(task.plates[:1], size=(side, side), mode="nearest")

    def batches() -> Iterator[FrameBatch]:
        for start in range(0, frames, len(large)):
            index = torch.arange(start, min(start + len(large), frames))
            yield FrameBatch(index, large[: len(index)], torch.zeros_like(index))

    backend = StepBackend("none", (frames,), no_prefix, _nothing())
    config = AttackConfig(batch=frames, min_error_mm=MOST_MM)
    with contextlib.suppress(_Enough):
        attack_stream(
            task.generator, task.target, batches(), plates, config, lambda *_: None, backend=backend
        )
    return account.moved_bytes / COUNTED


def _nothing() -> Step:
    """A step that finds no error and no gradient, so that all that is counted is the loop around it."""
    calls = 0

    def step(h_a: Tensor, scene: Scene) -> StepResult:
        nonlocal calls
        calls += 1
        if calls == WARM:
            account.clear()
        if calls == WARM + COUNTED:
            raise _Enough
        return StepResult(torch.zeros_like(h_a[:, 0]), torch.zeros_like(h_a))

    return step
