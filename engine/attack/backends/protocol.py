"""What a step back-end offers: error and gradient for a batch of samples."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dpa.engine.attack.buckets import cut
from dpa.engine.attack.rows import Rows
from dpa.engine.attack.scene import Scene


@dataclass(frozen=True)
class StepResult(Rows):
    """error: [B] mm at h_a. gradient: [B, A], d error / d h_a. Both float, on h_a's device."""

    error: Tensor
    gradient: Tensor


class StepBackend(Protocol):
    """Value and gradient of the objective, row by row: no row may depend on another."""

    @property
    def name(self) -> str:
        """As in AttackConfig.backend."""
        ...

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batch sizes that it runs, ascending."""
        ...

    def prefix(self, pose_code: Tensor) -> Tensor:
        """What it wants computed once a sample, for Scene.prefix. [B, P] → [B, …]."""
        ...

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """h_a [B, A] with B one of `sizes`."""
        ...


def evaluate(backend: StepBackend, h_a: Tensor, scene: Scene) -> StepResult:
    """Any number n ≥ 1 of rows through the back-end's own sizes; padding repeats a row and is dropped."""
    parts, start = [], 0
    for count, size in cut(len(h_a), backend.sizes):
        rows = torch.arange(start, start + size, device=h_a.device).clamp_max(start + count - 1)
        result = backend(h_a[rows], scene.take(rows))
        parts.append(result.take(torch.arange(count, device=h_a.device)))
        start += count
    return StepResult.cat(parts)
