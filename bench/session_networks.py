"""The networks that `bench sessions` takes: trained ones, and untrained ones of a preset's sizes, whose
speed is that of trained ones."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import PRESETS
from dpa.models.networks.regressor import Regressor
from dpa.models.training.checkpoint import load_network

UNTRAINED = "untrained:"
SIDE = 160
"""Frames of untrained networks, as the zoo's are."""


@dataclass(frozen=True)
class Subject:
    """A network to be timed, frames for parity and timing and other frames for calibration, each
    [N, 3, H, W] in [0, 1]. trained: whether millimetres mean anything."""

    network: DisentangledNetwork
    frames: Tensor
    calibration: Tensor
    trained: bool


def subject(spec: str, data: Path | None, count: int) -> Subject:
    """A trained network (`zoo:NAME`, a run directory) with held-out frames, or `untrained:PRESET` with
    random weights and noise. Raises InputError for an unknown preset."""
    if not spec.startswith(UNTRAINED):
        from dpa.export.parity import held_out_frames

        return Subject(load_network(spec), *held_out_frames(data, count), trained=True)
    preset = spec.removeprefix(UNTRAINED)
    if preset not in PRESETS:
        raise InputError(
            f"preset {preset!r}", f"one of {', '.join(PRESETS)}", f"name {UNTRAINED}{next(iter(PRESETS))}"
        )
    return Subject(untrained(preset), noise(count, 1), noise(count, 2), trained=False)


def untrained(preset: str) -> DisentangledNetwork:
    """Seeded random weights; batch statistics that are not those of a new network, so that nothing is
    trivially zero or one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = PRESETS[preset]()
        network = DisentangledNetwork(config, "nsd")
        network.regressor = Regressor(config)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.1)
        return network.eval().requires_grad_(False)


def noise(count: int, seed: int) -> Tensor:
    """[count, 3, 160, 160] in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 20, 20, generator=generator)
    return nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear").clamp(0, 1)
