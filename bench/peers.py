"""The same objective through other libraries' attacks, wherever they can express it.

foolbox: its gradient-descent base lets the loss, the normalisation and the optimiser be replaced, so that
Adam ascends our error over the appearance code. ART: its projected gradient descent takes any estimator
with a loss gradient; unit gradients, no momentum, steps as long as Adam's first one. Neither stops a
sample, nor a batch, that has reached the threshold: both run all of their steps and hand in the last code.
torchattacks cannot: each of its attacks holds the cross-entropy of class labels in its own loop and accepts
only images in [0, 1], so a subclass would have to bring the whole loop, which is then no longer its own.

The objective is the engine's eager one, with the fused operation: the peers differ by their loops alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dpa.bench.attack_rows import Pictures, Task
from dpa.bench.step import first_scene
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import Scene
from dpa.engine.sessions.errors import MissingPackage

UNBOUNDED = 1e9
"""Radius around the first code that no attack leaves: Algorithm 1 has none."""


class ErrorOfCode(nn.Module):
    """What a peer sees as the model: appearance codes [n, A] of a fixed batch → error [n, 1] in mm."""

    def __init__(self, objective: Objective, scene: Scene) -> None:
        super().__init__()
        self.objective, self.scene = objective, scene

    def forward(self, h_a: Tensor) -> Tensor:
        return self.objective(h_a, self.scene)[0][:, None]


Loop = Callable[[ErrorOfCode, Tensor, float, int], Tensor]
"""(model, h_a⁰ [n, A], step size, steps) → the last code [n, A]."""


def peer_attack(loop: Loop, task: Task, config: AttackConfig, steps: int) -> Pictures:
    """One batch by one peer."""
    objective = Objective(task.generator, task.target, task.plates, config.freeze_box, config.clamp)
    h_a, scene = first_scene(task)
    last = loop(ErrorOfCode(objective, scene).eval(), h_a, config.step_size, steps)
    judge = Judge(task.generator, task.target, task.plates)
    return Pictures(judge.paint(h_a, scene), judge.paint(last, scene), steps * len(task))


def foolbox_adam(model: ErrorOfCode, h_a: Tensor, step_size: float, steps: int) -> Tensor:
    """foolbox's loop with its own Adam. Raises MissingPackage."""
    try:
        from foolbox import PyTorchModel
        from foolbox.attacks.gradient_descent_base import AdamOptimizer, LinfBaseGradientDescent
        from foolbox.criteria import Misclassification
    except ImportError as error:
        raise MissingPackage("foolbox", "peers") from error

    class Ascent(LinfBaseGradientDescent):  # type: ignore[misc]
        def get_loss_fn(self, model: Any, labels: Any) -> Callable[[Any], Any]:
            return lambda codes: model(codes).sum()

        def get_optimizer(self, x: Any, stepsize: float) -> Any:
            return AdamOptimizer(x, stepsize)

        def normalize(self, gradients: Any, *, x: Any, bounds: Any) -> Any:
            return gradients

    attack = Ascent(rel_stepsize=1.0, abs_stepsize=step_size, steps=steps, random_start=False)
    wrapped = PyTorchModel(model, bounds=(-UNBOUNDED, UNBOUNDED), device=h_a.device)
    labels = torch.zeros(len(h_a), dtype=torch.int64, device=h_a.device)
    last: Tensor = attack.run(wrapped, h_a, Misclassification(labels), epsilon=UNBOUNDED)
    return last.detach()


def art_unit_steps(model: ErrorOfCode, h_a: Tensor, step_size: float, steps: int) -> Tensor:
    """ART's projected gradient descent in the L2 norm. Its steps are as long as one of `step_size` in every
    coordinate, which is Adam's first. Raises MissingPackage."""
    try:
        from art.attacks.evasion import ProjectedGradientDescent
        from art.estimators.regression.pytorch import PyTorchRegressor
    except ImportError as error:
        raise MissingPackage("adversarial-robustness-toolbox", "peers") from error
    estimator = PyTorchRegressor(
        model,
        loss=lambda error, _: error.sum(),
        input_shape=tuple(h_a.shape[1:]),
        device_type="gpu" if h_a.is_cuda else "cpu",
    )
    attack = ProjectedGradientDescent(
        estimator,
        norm=2,
        eps=UNBOUNDED,
        eps_step=step_size * h_a.shape[1] ** 0.5,
        max_iter=steps,
        batch_size=len(h_a),
        verbose=False,
    )
    last = attack.generate(h_a.cpu().numpy(), y=np.zeros((len(h_a), 1), dtype=np.float32))
    return torch.from_numpy(last).to(h_a)


CANNOT = {
    "torchattacks": "name foolbox or art: each of torchattacks' attacks holds the cross-entropy of class"
    " labels in its own loop and takes only images in [0, 1]"
}
"""Peers that cannot express the objective, and why: an error's remedy."""

PEERS: dict[str, Loop] = {"foolbox": foolbox_adam, "art": art_unit_steps}
