"""Gradient ascent on the appearance code as pure functions. The optimiser's memory is a row of the
sample, so a sample can join or leave a batch at any step without a trace on its neighbours."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dpa.engine.attack.config import OptimiserName
from dpa.engine.attack.state import OptimiserState

MOMENTUM = 0.9
BETAS = (0.9, 0.999)
EPSILON = 1e-8
TINY = 1e-12
POLYAK_MOMENTUM = 0.5
SHARE_OF_GAP = 0.5
BEYOND_MM = 10.0
"""How far beyond its goal `polyak` aims: a step that aims at the threshold itself never exceeds it."""


Update = Callable[[Tensor, Tensor, Tensor, OptimiserState], tuple[Tensor, OptimiserState]]
"""(h_a [B, A], gradient [B, A], error [B] mm at h_a, state) → the next h_a and state, uphill."""


def adam(
    h_a: Tensor, gradient: Tensor, error: Tensor, state: OptimiserState, step_size: float
) -> tuple[Tensor, OptimiserState]:
    """Adam (Kingma and Ba, 2015) with PyTorch's defaults, as ascent."""
    step = state.step + 1
    first = torch.lerp(gradient, state.first, BETAS[0])
    second = torch.lerp(gradient * gradient, state.second, BETAS[1])
    exponent = step[:, None].double()  # 1 - 0.999 has four digits left in fp32
    unbiased = first / (1 - BETAS[0] ** exponent).to(h_a.dtype)
    scale = (second / (1 - BETAS[1] ** exponent).to(h_a.dtype)).sqrt() + EPSILON
    return h_a + step_size * unbiased / scale, OptimiserState(first, second, step)


def sgd(
    h_a: Tensor, gradient: Tensor, error: Tensor, state: OptimiserState, step_size: float
) -> tuple[Tensor, OptimiserState]:
    """Momentum 0.9 over gradients of unit length: the error in mm is steep in some samples and flat in
    others, and a step must mean the same in both. A zero gradient stays zero."""
    length = gradient.norm(dim=1, keepdim=True).clamp_min(TINY)
    first = MOMENTUM * state.first + gradient / length
    return h_a + step_size * first, OptimiserState(first, state.second, state.step + 1)


def sign(
    h_a: Tensor, gradient: Tensor, error: Tensor, state: OptimiserState, step_size: float
) -> tuple[Tensor, OptimiserState]:
    """The same step in every coordinate (Kurakin et al., 2016)."""
    return h_a + step_size * gradient.sign(), OptimiserState(state.first, state.second, state.step + 1)


def polyak(
    h_a: Tensor, gradient: Tensor, error: Tensor, state: OptimiserState, step_size: float, goal_mm: float
) -> tuple[Tensor, OptimiserState]:
    """A step size per sample that adapts: where the error is linear, gap / |gradient| along the gradient
    closes the gap to the goal (Polyak, 1987). Half of that, and at most `step_size`, with momentum 0.5:
    a flat sample takes long steps, one near its goal short ones, and so the picture changes little.
    (Constants: the project's choice, from trials on training frames.) A zero gradient leaves momentum."""
    length = gradient.norm(dim=1, keepdim=True).clamp_min(TINY)
    gap = (goal_mm + BEYOND_MM - error)[:, None].clamp_min(1)
    step = (SHARE_OF_GAP * gap / length).clamp_max(step_size)
    first = POLYAK_MOMENTUM * state.first + step * gradient / length
    return h_a + first, OptimiserState(first, state.second, state.step + 1)


def make_update(name: OptimiserName, step_size: float, goal_mm: float) -> Update:
    """The named optimiser at one step size. goal_mm: the error to exceed."""
    if name == "polyak":
        return partial(polyak, step_size=step_size, goal_mm=goal_mm)
    return partial({"adam": adam, "sgd": sgd, "sign": sign}[name], step_size=step_size)
