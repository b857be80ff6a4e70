"""The attack as a competent researcher writes it in an afternoon: what the engine's speed is measured
against. It shares the networks, the objective and the optimiser's formula with the engine, and nothing of
its scheduler, its back-ends or its fused operation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Generator, Target
from dpa.kernels.reference import composite


@dataclass(frozen=True)
class PlainResult:
    """One row a sample, in the order of the frames.

    h_a: [n, A], the first code that exceeded the threshold, else the best. before, after: uint8
    [n, 3, H, W], synthesised with the first code and with h_a. reference: [n, J, 3] mm, q. computed:
    sample-iterations that ran, those of samples that were done already included.
    """

    h_a: Tensor
    before: Tensor
    after: Tensor
    reference: Tensor
    computed: int


def plain_attack(
    generator: Generator,
    target: Target,
    frames: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    config: AttackConfig,
) -> PlainResult:
    """One batch. Eager fp32 under autograd with the parameters frozen; every step decodes, composes the
    full-resolution frame and runs the target on it as it is; the batch goes on until all of its samples
    exceed the threshold, or max_steps. Step size as the engine's; optimiser: PyTorch's own Adam or SGD.

    frames: [n, 3, H, W] in [0, 1]; plates: [P, 3, H, W]; plate_index: [n] int64. What a finished sample
    hands out is its first code above the threshold, in its picture of 8 bits as well: that later steps go
    on changing it costs time alone.
    """
    with torch.no_grad():
        box = generator.localise(frames)
        first, pose_code = generator.encode(generator.crop(frames, box))
        mask = generator.decode(first, pose_code)[1]
        reference = target.predict(frames)

    def synthesise(h_a: Tensor) -> Tensor:
        rgb = generator.decode(h_a, pose_code)[0]
        rgb = rgb.clamp(0, 1) if config.clamp else rgb
        return composite(rgb, mask, box, plates, plate_index)

    h_a = first.clone().requires_grad_()
    optimiser = _optimiser(h_a, config)
    chosen = first.clone()
    best = torch.full_like(first[:, 0], -torch.inf)
    done = torch.zeros_like(plate_index, dtype=torch.bool)
    computed = 0
    for step in range(config.max_steps + 1):
        made = synthesise(h_a)
        error = (target.predict(made) - reference).norm(dim=-1).mean(dim=-1)
        computed += len(frames)
        with torch.no_grad():
            better = ~done & (error > best)
            chosen[better], best[better] = h_a[better], error[better]
            passed = (~done & (error > config.min_error_mm)).nonzero()[:, 0]
            if len(passed):
                seen = target.predict(_eight_bit(made[passed]).to(made.dtype) / 255)
                done[passed] = (seen - reference[passed]).norm(dim=-1).mean(dim=-1) > config.min_error_mm
        if bool(done.all()) or step == config.max_steps:
            break
        (gradient,) = torch.autograd.grad(-error.sum(), h_a)
        if config.optimiser != "adam":
            unit = gradient.norm(dim=1, keepdim=True).clamp_min(1e-12)
            gradient = gradient / unit if config.optimiser == "sgd" else gradient.sign()
        h_a.grad = gradient
        optimiser.step()
    with torch.no_grad():
        before, after = (_eight_bit(synthesise(code)) for code in (first, chosen))
    return PlainResult(chosen, before, after, reference, computed)


def _optimiser(h_a: Tensor, config: AttackConfig) -> torch.optim.Optimizer:
    if config.optimiser == "adam":
        return torch.optim.Adam([h_a], lr=config.step_size)
    return torch.optim.SGD([h_a], lr=config.step_size, momentum=0.9 if config.optimiser == "sgd" else 0.0)


def _eight_bit(frames: Tensor) -> Tensor:
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8)
