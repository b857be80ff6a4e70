"""What the sections attack: a bundled network on frames of synthetic people, made once for all of them."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dpa.bench.attack_rows import Task
from dpa.bench.gpu.section import Notebook, Setting
from dpa.engine.attack.objective import Objective
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.generate import SynthConfig, generate
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import PRESETS
from dpa.models.networks.regressor import Regressor
from dpa.models.training.checkpoint import load_network

NETWORK = "zoo:nsd"


def data(setting: Setting) -> PackedStore:
    """240 frames of 160² px of two people (a rehearsal: 16), from the sections' common folder."""
    path: Path = setting.folder / "data"
    if path.is_dir():
        return PackedStore.open(path)
    config = SynthConfig(
        subjects=setting.pick(("S1", "S5"), ("S1",)),
        actions=setting.pick(SynthConfig.model_fields["actions"].default, ("Walking", "Eating")),
        clips=1,
        frames=2,
        fps=0.5,
        seed=1000,
        workers=setting.pick(8, 1),
    )
    return generate(config, path)


def render(book: Notebook, setting: Setting) -> None:
    """Makes the data."""
    data(setting)


def task(setting: Setting, count: int, side: int | None = None) -> Task:
    """`count` samples, repeated where the data has fewer. side: of the frames, which are enlarged to it."""
    device, store = setting.device, data(setting)
    rows = np.arange(count) % len(store)
    frames, plates = store.frames_at(rows), store.plates_tensor()
    if side is not None:
        frames, plates = (F.interpolate(x, size=(side, side), mode="bilinear") for x in (frames, plates))
    network = network_of(setting)
    plate_index = torch.from_numpy(store.plate[rows]).to(device)
    return Task(network, network, frames.to(device), plates.to(device), plate_index)


def network_of(setting: Setting) -> DisentangledNetwork:
    """The network on the examined device; in a rehearsal an untrained one of the preset tiny."""
    if not setting.rehearsal:
        return load_network(NETWORK).to(setting.device)
    torch.manual_seed(0)
    network = DisentangledNetwork(PRESETS["tiny"](), "nsd")
    network.regressor = Regressor(network.config)
    network.regressor.std.fill_(200.0)
    nn.init.normal_(network.localiser.readout.weight, std=0.05)
    return network.to(setting.device).eval()


def objective_of(given: Task) -> Objective:
    """The attack's objective on a task."""
    return Objective(given.generator, given.target, given.plates, freeze_box=False, clamp=True)
