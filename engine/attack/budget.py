"""How far an attack may go: a ball of appearance codes around the mean of real ones, in units of their
spread.

Inside it a code is as natural as the real codes that the ball holds. All optimisers step in whitened units
there, so that a step means the same in every network.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.appearance import AppearanceDistribution, radius_of
from dpa.engine.attack.optimisers import Update
from dpa.engine.attack.state import OptimiserState

INSIDE = 1 - 1e-6
"""A code is put back this much inside the ball, which rounding must not move it out of."""


@dataclass(frozen=True)
class Ball:
    """Codes h with |(h − mean) W| ≤ radius, on a device. mean: [A]; whitening, colouring: [A, A], inverse to
    each other; radius: None for the whole space."""

    mean: Tensor
    whitening: Tensor
    colouring: Tensor
    radius: float | None

    @classmethod
    def of(cls, real: AppearanceDistribution, budget: str, like: Tensor) -> "Ball":
        """The ball of a budget around real codes, in the precision and on the device of `like`. Raises
        BadBudget."""
        radius = radius_of(budget)(real)
        mean, whitening, colouring = (
            torch.from_numpy(part).to(like) for part in (real.mean, real.whitening, real.colouring)
        )
        return cls(mean, whitening, colouring, radius)

    def distance(self, h_a: Tensor) -> Tensor:
        """[B, A] → [B], from the mean, in units of the spread."""
        length: Tensor = ((h_a - self.mean) @ self.whitening).norm(dim=1)
        return length

    def inside(self, h_a: Tensor) -> Tensor:
        """The nearest codes of the ball, measured in units of the spread: [B, A] → [B, A]. A code that lies
        inside stays as it is, to the last bit."""
        if self.radius is None:
            return h_a
        distance = self.distance(h_a)[:, None]
        shrunk = self.mean + (h_a - self.mean) * (INSIDE * self.radius / distance)
        return torch.where(distance > self.radius, shrunk, h_a)

    def moved(self, h_a: Tensor, step: Tensor) -> Tensor:
        """h_a [B, A] after a step [B, A] in units of the spread, put back into the ball."""
        return self.inside(h_a + step @ self.colouring)

    def around(self, update: Update) -> Update:
        """The same optimiser in whitened units, followed by the projection into the ball."""

        def whitened(
            h_a: Tensor, gradient: Tensor, error: Tensor, state: OptimiserState
        ) -> tuple[Tensor, OptimiserState]:
            step, state = update(torch.zeros_like(h_a), gradient @ self.colouring, error, state)
            return self.moved(h_a, step), state

        return whitened
