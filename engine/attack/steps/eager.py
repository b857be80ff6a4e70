"""What a step is, error and gradient for a batch of samples; and the plain one, in PyTorch's own operations
and the precision of the networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from dpa.engine.attack.calls import padded_calls
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import Rows, Scene


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


class EagerStep:
    """Autograd through the objective with respect to the appearance code alone."""

    name = "eager"

    def __init__(self, objective: Objective, sizes: tuple[int, ...]) -> None:
        self.objective = objective
        self.sizes = sizes

    def prefix(self, pose_code: Tensor) -> Tensor:
        """Nothing: [B, 0]."""
        return pose_code.new_empty(len(pose_code), 0)

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """h_a [B, A] → error and gradient; the sum over samples has each sample's own gradient."""
        with torch.enable_grad():
            leaf = h_a.detach().requires_grad_()
            error, _ = self.objective(leaf, scene)
            (gradient,) = torch.autograd.grad(error.sum(), leaf)
        return StepResult(error.detach(), gradient)


GRAIN = 8
"""Side of the noise before it is smoothed up to a frame, pixels."""


@torch.no_grad()
def probe(
    objective: Objective, prefix: Callable[[Tensor], Tensor], rows: int, seed: int
) -> tuple[Tensor, Scene]:
    """h_a [rows, A] some way off where an attack would begin, and the scene; `seed` decides both."""
    plates, generator = objective.plates, objective.generator
    dice = torch.Generator().manual_seed(seed)
    plate_index = torch.randint(len(plates), (rows,), generator=dice).to(plates.device)
    noise = torch.rand(rows, 3, GRAIN, GRAIN, generator=dice).to(plates)
    frames = (plates[plate_index] + F.interpolate(noise, size=plates.shape[-2:], mode="bilinear")) / 2
    box = generator.localise(frames)
    h_a, h_p = generator.encode(generator.crop(frames, box))
    mask = generator.decode(h_a, h_p)[1]
    reference = objective.target.predict(frames)
    away = torch.randn(h_a.shape, generator=dice).to(h_a)
    return h_a + 0.3 * away, Scene(h_p, mask, box, plate_index, reference, prefix(h_p))


@dataclass(frozen=True)
class Limited:
    """A step back-end in calls of at most `most` rows; its smallest call stays."""

    backend: StepBackend
    most: int

    @property
    def name(self) -> str:
        """The back-end's."""
        return self.backend.name

    @property
    def sizes(self) -> tuple[int, ...]:
        """Those of its sizes that are allowed."""
        return tuple(size for size in self.backend.sizes if size <= self.most) or self.backend.sizes[:1]

    def prefix(self, pose_code: Tensor) -> Tensor:
        """See StepBackend."""
        return self.backend.prefix(pose_code)

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """See StepBackend."""
        return self.backend(h_a, scene)
