"""The clauses on gradients: the attack needs one from the pose back to the appearance code."""

import torch
from torch import Tensor

from dpa.engine.framework_check.clauses import Subject
from dpa.engine.framework_check.finding import Breach
from dpa.kernels import composite_crop


def reaches_colours(subject: Subject) -> None:
    """decode: from rgb to the appearance code."""
    with torch.enable_grad():
        h_a, h_p = _codes(subject)
        rgb = subject.network.decode(h_a, h_p)[0]
        _require(rgb, h_a, "rgb", "the appearance code")


def reaches_crops(subject: Subject) -> None:
    """encode and regress: from the pose to the crop."""
    network = subject.network
    with torch.enable_grad():
        crops = subject.probe.crops.clone().requires_grad_()
        _require(network.regress(network.encode(crops)[1]), crops, "the pose", "the crop")


def reaches_appearance(subject: Subject) -> None:
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


def _codes(subject: Subject) -> tuple[Tensor, Tensor]:
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
