"""Fits the pose regressor φ on a labelled fraction of the frames, the encoder frozen and in eval mode."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dpa.models.config import Config
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.reconstruction import jittered
from dpa.models.networks.regressor import Regressor
from dpa.models.training.batches import BatchSource, step_generator
from dpa.models.training.checkpoint import read_config, save_network
from dpa.models.training.config import TrainConfig
from dpa.models.training.validation import split_sequences


class RegressorConfig(Config):
    """Adam at 1e-3 and the network are Rhodin's (FACTS); fraction, batch, length and crops are ours: φ
    sees each labelled frame in several crops, around the localiser's box as in training, since the pose
    must not hang on where exactly the box lies."""

    fraction: float = Field(0.1, gt=0, le=1, description="labelled share of the frames, drawn at random")
    crops: int = Field(4, ge=1, description="crops of each labelled frame, the first at S's own box")
    box_jitter: float = Field(0.05, ge=0, description="spread of the other crops' boxes around S's")
    steps: int = Field(4000, ge=1)
    batch: int = Field(256, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    seed: int = 0


@dataclass(frozen=True)
class LabelledCodes:
    """Un-rotated pose codes [N, 600] and their labels [N, 17, 3] mm, root-relative, camera axes."""

    codes: Tensor
    poses: Tensor


def labelled_rows(rows: NDArray[np.int64], config: RegressorConfig) -> NDArray[np.int64]:
    """The frames whose labels may be used, ascending."""
    count = max(2, round(config.fraction * len(rows)))
    return np.sort(np.random.default_rng([config.seed, 0xF17]).permutation(rows)[:count])


def pose_codes(
    network: DisentangledNetwork,
    store: PackedStore,
    rows: NDArray[np.int64],
    box_jitter: float = 0.0,
    batch: int = 256,
) -> LabelledCodes:
    """E(S(I)) for the rows, in eval mode: batch statistics must not see what is being measured.

    box_jitter: spread of the boxes around those of S (`jittered`), drawn from torch's generator.
    """
    source = BatchSource(store, next(network.parameters()).device)
    network.eval()
    codes = []
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            frames = source.batch(rows[start : start + batch]).frames
            box = network.localise(frames)
            box = jittered(box, box_jitter) if box_jitter else box
            codes.append(network.encode(network.crop(frames, box))[1])
    return LabelledCodes(torch.cat(codes), torch.from_numpy(store.poses[rows].copy()).to(codes[0].device))


def fit_regressor(
    network: DisentangledNetwork,
    labelled: LabelledCodes,
    config: RegressorConfig,
    report: Callable[[int, float], None],
) -> Regressor:
    """Trains φ on mean squared standardised error and attaches it to the network, in eval mode.

    Labels are standardised by (label − mean) / std with the root's std set to 1. `report` gets the step
    and the loss now and then.
    """
    torch.manual_seed(config.seed)
    regressor = Regressor(network.config).to(labelled.codes.device)
    regressor.mean.copy_(labelled.poses.mean(0))
    regressor.std.copy_(labelled.poses.std(0).clamp(min=1e-3))
    regressor.std[0] = 1
    target = (labelled.poses - regressor.mean) / regressor.std
    optimiser = torch.optim.Adam(regressor.parameters(), config.learning_rate)
    regressor.train()
    for step in range(config.steps):
        rate = config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * step / config.steps)) / 2)
        optimiser.param_groups[0]["lr"] = rate
        size = min(config.batch, len(target))
        picked = torch.from_numpy(step_generator(config.seed, step).integers(len(target), size=size))
        loss = F.mse_loss(regressor.standardised(labelled.codes[picked]), target[picked])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % 100 == 0 or step + 1 == config.steps:
            report(step + 1, float(loss.detach()))
    network.regressor = regressor.eval()
    return regressor


def fit_on_store(
    network: DisentangledNetwork,
    folder: Path,
    store: PackedStore,
    config: RegressorConfig,
    report: Callable[[int, float], None],
) -> NDArray[np.int64]:
    """Fits φ for the network of a training run and saves both there.

    Only sequences that trained the network lend labels. Returns the rows of its validation sequences.
    """
    described = read_config(folder).training
    known = {name: described[name] for name in TrainConfig.model_fields if name in described}
    training = TrainConfig.model_validate(known)
    rows, held_out = split_sequences(store, training.held_out, training.seed)
    labelled = labelled_rows(rows, config)
    network.requires_grad_(False)
    torch.manual_seed(config.seed)
    spreads = [0.0] + [config.box_jitter] * (config.crops - 1)
    views = [pose_codes(network, store, labelled, spread) for spread in spreads]
    codes = LabelledCodes(torch.cat([v.codes for v in views]), torch.cat([v.poses for v in views]))
    fit_regressor(network, codes, config, report)
    fit = {**config.model_dump(mode="json"), "labelled_frames": len(labelled)}
    save_network(network, folder, {**described, "regressor_fit": fit})
    return held_out
