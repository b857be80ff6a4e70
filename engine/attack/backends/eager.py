"""The plain reference: PyTorch's own operations in the precision of the networks."""

import torch
from torch import Tensor

from dpa.engine.attack.backends.protocol import StepResult
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.scene import Scene


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
