"""How much arithmetic one step of the attack is: counted on the objective, not on an implementation."""

from torch import Tensor

from dpa.bench.roofline import count
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.eager import EagerStep


def step_gflop(objective: Objective, h_a: Tensor, scene: Scene) -> float:
    """GFLOP of one sample's value and gradient, of convolutions and matrix products alone (a multiply-add
    is two). Taken from the eager step, so that a back-end that leaves out work is credited with the
    arithmetic of the task. h_a: [B, A]."""
    step = EagerStep(objective, (len(h_a),))
    return count(lambda: step(h_a, scene))[0] / len(h_a)
