"""The attack as somebody writes it who knows PyTorch well: batch normalisation folded, channels last, bf16,
and samples that are done leave the batch. It shares the networks, the objective and the optimiser's formula
with the engine, and nothing of its scheduler, its back-ends or its fused operation."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from dpa.bench.attack_plain import PlainResult
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Generator, Target
from dpa.engine.attack.optimisers import make_update
from dpa.engine.attack.state import fresh_state
from dpa.engine.attack.steps.fused import fold_batch_norms
from dpa.kernels.reference import composite


def expert_attack(
    generator: Generator,
    target: Target,
    frames: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    config: AttackConfig,
) -> PlainResult:
    """One batch, which shrinks as its samples exceed the threshold, or at max_steps. Every step decodes,
    composes the full-resolution frame and runs the target on it, in bf16 by autocast on copies that waste
    less; an error above the threshold is confirmed by the target itself in fp32, on the frame in 8 bits.
    Arguments as in `plain_attack`."""
    device = frames.device.type
    with torch.no_grad():
        box = generator.localise(frames)
        first, pose_code = generator.encode(generator.crop(frames, box))
        mask = generator.decode(first, pose_code)[1]
        reference = target.predict(frames)

    paint = cast(Generator, quick(cast(nn.Module, generator)))
    look = cast(Target, quick(cast(nn.Module, target)))

    def synthesise(by: Generator, h_a: Tensor, rows: Tensor) -> Tensor:
        rgb = by.decode(h_a, pose_code[rows])[0].to(mask.dtype)
        rgb = rgb.clamp(0, 1) if config.clamp else rgb
        return composite(rgb, mask[rows], box[rows], plates, plate_index[rows])

    update = make_update(config.optimiser, config.step_size, config.min_error_mm)
    chosen, best = first.clone(), torch.full_like(first[:, 0], -torch.inf)
    rows, h_a, state, computed = torch.arange(len(frames), device=frames.device), first, fresh_state(first), 0
    for step in range(config.max_steps + 1):
        leaf = h_a.detach().requires_grad_()
        with torch.autocast(device, torch.bfloat16):
            pose = look.predict(synthesise(paint, leaf, rows)).to(reference.dtype)
        error = (pose - reference[rows]).norm(dim=-1).mean(dim=-1)
        (gradient,) = torch.autograd.grad(error.sum(), leaf)
        error, computed = error.detach(), computed + len(rows)
        with torch.no_grad():
            better = error > best[rows]
            chosen[rows[better]], best[rows[better]] = h_a[better], error[better]
            done = torch.zeros_like(better)
            passed = (error > config.min_error_mm).nonzero()[:, 0]
            if len(passed):
                made = eight_bit(synthesise(generator, h_a[passed], rows[passed]))
                seen = target.predict(made.to(frames.dtype) / 255)
                moved = (seen - reference[rows[passed]]).norm(dim=-1).mean(dim=-1)
                done[passed] = moved > config.min_error_mm
                chosen[rows[done]] = h_a[done]
            if step == config.max_steps or bool(done.all()):
                break
            left = (~done).nonzero()[:, 0]
            h_a, state = update(h_a[left], gradient[left], error[left], state.take(left))
            rows = rows[left]
    with torch.no_grad():
        everyone = torch.arange(len(frames), device=frames.device)
        before, after = (eight_bit(synthesise(generator, code, everyone)) for code in (first, chosen))
    return PlainResult(chosen, before, after, reference, computed)


def quick(network: nn.Module) -> nn.Module:
    """A frozen copy that computes the same with less."""
    made = copy.deepcopy(network).requires_grad_(False)
    fold_batch_norms(made)
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def eight_bit(frames: Tensor) -> Tensor:
    """Frames as they are stored."""
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8)
