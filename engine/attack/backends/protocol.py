"""What a step back-end offers: error and gradient for a batch of samples."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dpa.engine.attack.buckets import padded_calls
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
    """Any number n ≥ 1 of rows through the back-end's own sizes."""
    parts = [
        backend(h_a[rows], scene.take(rows)).head(taken)
        for rows, taken in padded_calls(len(h_a), backend.sizes, h_a.device)
    ]
    return StepResult.cat(parts)
