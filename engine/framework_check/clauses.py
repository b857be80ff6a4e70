"""The contract, clause by clause: shapes, ranges, types, independence, determinism. Each clause is tried on
pictures like none that a network was trained on, but smooth as pictures are, and raises Breach with what it
found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dpa.models.frameworks.base import DisentangledNetwork


@dataclass(frozen=True)
class Finding:
    """One clause of the contract. name: of the clause, as `decode: shapes`. breach: None where it is kept,
    else what was found. expected: what the clause asks for."""

    name: str
    expected: str
    breach: str | None = None

    @property
    def kept(self) -> bool:
        """Whether the framework keeps the clause."""
        return self.breach is None


class Breach(Exception):
    """Raised inside a check: what was found."""


SAMPLES = 3
FRAME = (96, 128)
"""Height and width: not square, as cameras are, so that a swap of axes shows."""


@dataclass(frozen=True)
class ProbeInputs:
    """Inputs of each step of a network, made by the steps before it. frames: [3, 3, 96, 128] in [0, 1];
    thumbnails: [3, 3, t, t]; box: a fixed [3, 4]; crops: [3, 3, s, s]; the frames cut out there."""

    frames: Tensor
    box: Tensor
    thumbnails: Tensor
    crops: Tensor


def make_probe(network: DisentangledNetwork, seed: int = 0) -> ProbeInputs:
    """Seeded random fields on the network's device."""
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(SAMPLES, 3, FRAME[0] // 8, FRAME[1] // 8, generator=generator)
    frames = F.interpolate(coarse, FRAME, mode="bilinear").to(device)
    box = torch.tensor([[0.5, 0.7, 0.1, 0.0], [0.6, 0.6, 0.0, -0.1], [0.4, 0.8, -0.2, 0.1]], device=device)
    small = network.localiser_size
    thumbnails = F.interpolate(frames, (small, small), mode="bilinear", antialias=True)
    return ProbeInputs(frames, box, thumbnails, DisentangledNetwork.crop(network, frames, box))


COLOUR_SLACK = 0.5
"""How far colours may leave [0, 1]: further out, and it is the image normalisation that is wrong."""
SAME = 1e-3
"""Relative difference below which two results count as one sample's: other batches round differently."""
BODY_MM = (30.0, 3000.0)
"""Between these the joints' mean distance from the hip may lie: it tells mm from metres and from pixels."""
FRAMING = 3.0
"""Largest half-width of a box, in half-frames, and largest shift of its centre."""

Step = Callable[[], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Examined:
    """A network with its probe, and the four steps of which each is given what the ones before it make."""

    network: DisentangledNetwork
    probe: ProbeInputs

    def steps(self, rows: slice = slice(None)) -> Mapping[str, Step]:
        """By name, each on some of the probe's samples."""
        network, probe = self.network, self.probe

        def codes() -> tuple[Tensor, Tensor]:
            return network.encode(probe.crops[rows].clone())

        steps: dict[str, Step] = {
            "localise": lambda: (network.localise_thumbnails(probe.thumbnails[rows].clone()),),
            "encode": codes,
            "decode": lambda: network.decode(*codes()),
        }
        if network.can_regress:
            steps["regress"] = lambda: (network.regress(codes()[1]),)
        return steps


def shapes(subject: Examined, step: str) -> None:
    """Number of results, their shapes, dtype, device; finite values."""
    network, count = subject.network, len(subject.probe.frames)
    sizes, side = network.config, network.crop_size
    wanted = {
        "localise": ((4,),),
        "encode": ((sizes.appearance_dim,), (sizes.pose_dim,)),
        "decode": ((3, side, side), (1, side, side)),
        "regress": ((17, 3),),
    }[step]
    found = subject.steps()[step]()
    for value, shape in zip(found, wanted, strict=True):
        if value.shape != (count, *shape):
            raise Breach(f"{list(value.shape)} in place of {[count, *shape]}")
        if value.dtype != torch.float32:
            raise Breach(f"dtype {value.dtype}")
        if value.device != subject.probe.frames.device:
            raise Breach(f"a result on {value.device}, the input on {subject.probe.frames.device}")
        if not value.isfinite().all():
            raise Breach("NaN or infinite values")


def box_range(subject: Examined) -> None:
    """A box of positive size, near the frame."""
    (box,) = subject.steps()["localise"]()
    if (box[:, :2] <= 0).any():
        raise Breach(f"a box of half-width {float(box[:, :2].min()):.3g}")
    if box.abs().max() > FRAMING:
        raise Breach(f"a box entry of {float(box.abs().max()):.3g}, as if it were in pixels")


def colour_range(subject: Examined) -> None:
    """Colours in [0, 1] after undoing the framework's normalisation."""
    rgb = subject.steps()["decode"]()[0]
    low, high = float(rgb.min()), float(rgb.max())
    if low < -COLOUR_SLACK or high > 1 + COLOUR_SLACK:
        raise Breach(f"colours from {low:.3g} to {high:.3g} after undoing image_mean and image_std")


def mask_range(subject: Examined) -> None:
    """A mask in [0, 1]."""
    mask = subject.steps()["decode"]()[1]
    if mask.min() < 0 or mask.max() > 1 + 1e-4:
        raise Breach(f"a mask from {float(mask.min()):.3g} to {float(mask.max()):.3g}")


def pose_units(subject: Examined) -> None:
    """Millimetres."""
    (pose,) = subject.steps()["regress"]()
    reach = float((pose - pose[:, :1]).norm(dim=-1).mean())
    if not BODY_MM[0] <= reach <= BODY_MM[1]:
        raise Breach(f"joints {reach:.3g} from the hip in the mean; are these metres, or standardised?")


def pose_root(subject: Examined) -> None:
    """The hip at the origin."""
    (pose,) = subject.steps()["regress"]()
    if (away := float(pose[:, 0].norm(dim=-1).max())) > 1e-2:
        raise Breach(f"joint 0 is {away:.3g} mm from the origin")


def eval_mode(subject: Examined) -> None:
    """No part in training mode: dropout and batch statistics make a pose depend on chance."""
    training = [name for name, part in subject.network.named_modules() if part.training]
    if training:
        raise Breach(f"{len(training)} modules in training mode, {training[0]} first")


def deterministic(subject: Examined, step: str) -> None:
    """The same input twice gives the same output, bit by bit."""
    for first, second in zip(subject.steps()[step](), subject.steps()[step](), strict=True):
        if not torch.equal(first, second):
            raise Breach(f"two calls differ by up to {float((first - second).abs().max()):.3g}")


def independent(subject: Examined, step: str) -> None:
    """A sample alone gives what it gives among others."""
    together = subject.steps()[step]()
    for row in range(len(subject.probe.frames)):
        alone = subject.steps(slice(row, row + 1))[step]()
        for one, all_of_them in zip(alone, together, strict=True):
            apart = float((one[0] - all_of_them[row]).abs().max())
            if apart > SAME * max(1.0, float(all_of_them.abs().max())):
                raise Breach(f"sample {row} alone differs by {apart:.3g} from itself in a batch")


def inputs_untouched(subject: Examined) -> None:
    """No step writes into what it is given."""
    network, probe = subject.network, subject.probe
    thumbnails, crops = probe.thumbnails.clone(), probe.crops.clone()
    network.localise_thumbnails(thumbnails)
    h_a, h_p = network.encode(crops)
    kept = h_a.clone(), h_p.clone()
    network.decode(h_a, h_p)
    if network.can_regress:
        network.regress(h_p)
    for name, now, before in (
        ("localise: its frames", thumbnails, probe.thumbnails),
        ("encode: its crops", crops, probe.crops),
        ("decode: the appearance code", h_a, kept[0]),
        ("decode or regress: the pose code", h_p, kept[1]),
    ):
        if not torch.equal(now, before):
            raise Breach(f"{name} were changed in place")
