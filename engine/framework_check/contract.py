"""Runs the whole contract on a network, in order. Its last clauses are those on gradients: the attack needs
one from the pose back to the appearance code."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from dpa.engine.framework_check import clauses
from dpa.engine.framework_check.clauses import Breach, Examined, Finding, make_probe
from dpa.kernels import composite_crop
from dpa.models.frameworks.base import DisentangledNetwork


def reaches_colours(subject: Examined) -> None:
    """decode: from rgb to the appearance code."""
    with torch.enable_grad():
        h_a, h_p = _codes(subject)
        rgb = subject.network.decode(h_a, h_p)[0]
        _require(rgb, h_a, "rgb", "the appearance code")


def reaches_crops(subject: Examined) -> None:
    """encode and regress: from the pose to the crop."""
    network = subject.network
    with torch.enable_grad():
        crops = subject.probe.crops.clone().requires_grad_()
        _require(network.regress(network.encode(crops)[1]), crops, "the pose", "the crop")


def reaches_appearance(subject: Examined) -> None:
    """All steps in a row, as the attack takes them: decode, composite, localise, crop, encode, regress."""
    network, probe = subject.network, subject.probe
    rows = torch.arange(len(probe.frames), device=probe.frames.device)
    with torch.enable_grad():
        h_a, h_p = _codes(subject)
        rgb, mask = network.decode(h_a, h_p)
        whole = probe.box.new_tensor([1.0, 1.0, 0.0, 0.0]).expand_as(probe.box)
        scene = (rgb, mask.detach(), probe.box, probe.frames, rows)
        box = network.localise_thumbnails(composite_crop(*scene, whole, network.localiser_size))
        crops = composite_crop(*scene, box, network.crop_size)
        pose = network.regress(network.encode(crops)[1])
        _require(pose, h_a, "the pose", "the appearance code, through the composed picture")


def _codes(subject: Examined) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        h_a, h_p = subject.network.encode(subject.probe.crops)
    return h_a.detach().clone().requires_grad_(), h_p.detach().clone()


def _require(result: Tensor, source: Tensor, end: str, start: str) -> None:
    """Raises Breach unless a finite gradient other than 0 runs from `result` to `source`."""
    if not result.requires_grad:
        raise Breach(f"{end} has no gradient (computed under no_grad, detached, or by a compiled program)")
    # fixed random weights: a plain sum could cancel, as that of root-relative coordinates may
    weights = torch.rand(result.shape, generator=torch.Generator().manual_seed(1)).to(result)
    (gradient,) = torch.autograd.grad((result * weights).sum(), source, allow_unused=True)
    if gradient is None:
        raise Breach(f"no path from {end} to {start}")
    if not gradient.isfinite().all():
        raise Breach(f"the gradient from {end} to {start} is not finite")
    if not gradient.any():
        raise Breach(f"the gradient from {end} to {start} is 0 everywhere")


Clause = tuple[str, str, Callable[[Examined], None]]
"""Name, what is expected, and the check."""

SHAPES = {
    "localise": "box [B, 4] = (sx, sy, tx, ty), float32, finite",
    "encode": "appearance code and pose code [B, …], float32, finite",
    "decode": "rgb [B, 3, s, s], with or without a mask [B, 1, s, s], float32, finite",
    "regress": "pose [B, 17, 3], float32, finite",
}


def check_network(network: DisentangledNetwork, seed: int = 0) -> list[Finding]:
    """Every clause that applies, kept or broken. What the framework raises is a breach of the clause that
    called it. seed: of the pictures."""
    subject = Examined(network, make_probe(network, seed))
    return [_judge(subject, *clause) for clause in _contract(network.can_regress)]


def _contract(with_poses: bool) -> Iterator[Clause]:
    steps = [step for step in SHAPES if with_poses or step != "regress"]
    yield "eval mode", "every module in eval mode", clauses.eval_mode
    for step in steps:
        yield f"{step}: shapes", SHAPES[step], partial(clauses.shapes, step=step)
    yield "localise: range", "sx, sy > 0, in units of half a frame", clauses.box_range
    yield "decode: colours", "RGB in [0, 1], or normalised by image_mean and image_std", clauses.colour_range
    yield "decode: mask", "in [0, 1]", clauses.mask_range
    if with_poses:
        yield "regress: units", "millimetres", clauses.pose_units
        yield "regress: root", "joint 0 (the hip) at the origin", clauses.pose_root
    for step in steps:
        yield f"{step}: determinism", "the same output twice", partial(clauses.deterministic, step=step)
        yield (
            f"{step}: batch",
            "no sample depends on its neighbours",
            partial(clauses.independent, step=step),
        )
    yield "inputs", "no step changes what it is given", clauses.inputs_untouched
    yield "gradient: colours", "rgb → appearance code", reaches_colours
    if with_poses:
        yield "gradient: pose", "pose → crop", reaches_crops
        yield "gradient: attack", "pose → composed picture → appearance code", reaches_appearance


def _judge(subject: Examined, name: str, expected: str, check: Callable[[Examined], None]) -> Finding:
    try:
        with torch.no_grad():
            check(subject)
    except Breach as breach:
        return Finding(name, expected, str(breach))
    except Exception as error:  # the user's own code may raise anything
        words = str(error).strip().splitlines()
        return Finding(name, expected, f"{type(error).__name__}: {words[0] if words else ''}")
    return Finding(name, expected)
