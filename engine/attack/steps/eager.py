"""What a step is, error and gradient for a batch of samples; and the plain one, in PyTorch's own operations
and the precision of the networks."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import Rows, Scene


@dataclass(frozen=True)
class StepResult(Rows):
    """error: [B] mm at h_a. gradient: [B, A], d error / d h_a. Both float, on h_a's device."""

    error: Tensor
    gradient: Tensor


Step = Callable[[Tensor, Scene], StepResult]
"""(h_a [B, A], its scene) → error and gradient, row by row: no row may depend on another."""


@dataclass(frozen=True)
class StepBackend:
    """A way to take a step.

    name: as in AttackConfig.backend. sizes: the batch sizes that `step` is called with, ascending.
    prefix: what it wants computed once a sample, for Scene.prefix; pose code [B, P] → [B, …].
    note: for people, how it came to be picked.
    """

    name: str
    sizes: tuple[int, ...]
    prefix: Callable[[Tensor], Tensor]
    step: Step
    note: str = ""

    def at_most(self, rows: int) -> "StepBackend":
        """The same in calls of at most `rows`; its smallest call stays."""
        sizes = tuple(size for size in self.sizes if size <= rows)
        return replace(self, sizes=sizes or self.sizes[:1])


def no_prefix(pose_code: Tensor) -> Tensor:
    """Nothing is computed beforehand: [B, P] → [B, 0]."""
    return pose_code.new_empty(len(pose_code), 0)


def autograd_step(objective: Objective) -> Step:
    """Autograd through the objective with respect to the appearance code alone."""

    def step(h_a: Tensor, scene: Scene) -> StepResult:
        with torch.enable_grad():
            leaf = h_a.detach().requires_grad_()
            error, _ = objective(leaf, scene)
            # the sum over samples has each sample's own gradient
            (gradient,) = torch.autograd.grad(error.sum(), leaf)
        return StepResult(error.detach(), gradient)

    return step


def eager_step(objective: Objective, sizes: tuple[int, ...]) -> StepBackend:
    """The plain reference, which every other step is compared with."""
    return StepBackend("eager", sizes, no_prefix, autograd_step(objective))


GRAIN = 8
"""Side of the noise before it is smoothed up to a frame, pixels."""


@torch.no_grad()
def probe(
    objective: Objective, prefix: Callable[[Tensor], Tensor], rows: int, seed: int
) -> tuple[Tensor, Scene]:
    """Samples to try a step on before the attack has any: pictures of noise over the plates. Returns h_a
    [rows, A] some way off where an attack would begin, and the scene; `seed` decides both."""
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
