"""How much arithmetic one step of the attack is: counted on the objective, not on an implementation."""

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.scene import Scene


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up PyTorch's own formulae. (Its FlopCounterMode also tracks modules, and those hooks refuse a
    gradient that is asked of a leaf.)"""

    flops = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=out)
        return out


def step_gflop(objective: Objective, h_a: Tensor, scene: Scene) -> float:
    """GFLOP of one sample's value and gradient, of convolutions and matrix products alone (a multiply-add
    is two). Taken from the eager step, so that a back-end that leaves out work is credited with the
    arithmetic of the task. h_a: [B, A]."""
    step = EagerStep(objective, (len(h_a),))
    with _Counter() as counter:  # type: ignore[no-untyped-call]
        step(h_a, scene)
    gflop: float = counter.flops / len(h_a) / 1e9
    return gflop
