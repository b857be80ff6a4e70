"""Fits the pose regressor φ on a labelled fraction of the frames, each in several crops, the encoder frozen
and in eval mode."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dpa.models.config import Config, Seed
from dpa.models.data.store import PackedStore
from dpa.models.devices import fuses_optimisers, upload
from dpa.models.errors import InputError
from dpa.models.finite import require_finite
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.regressor import Regressor
from dpa.models.training.batches import BatchSource, split_sequences, step_generator
from dpa.models.training.checkpoint import read_config, save_network
from dpa.models.training.config import TrainConfig
from dpa.models.training.phases import cosine


@dataclass(frozen=True)
class LabelledCodes:
    """Un-rotated pose codes [N, 600] and their labels [N, 17, 3] mm, root-relative, camera axes."""

    codes: Tensor
    poses: Tensor


def jittered(box: Tensor, spread: float) -> Tensor:
    """Boxes beside the given ones: scales times exp(N(0, spread)), centres moved by N(0, spread) of the
    scales. [B, 4] → [B, 4]."""
    draws = torch.randn(len(box), 4, device=box.device) * spread
    scale = box[:, :2]
    return torch.cat([scale * draws[:, :2].exp(), box[:, 2:] + scale * draws[:, 2:]], dim=1)


def softened(crops: Tensor) -> Tensor:
    """Each crop mixed with its own 3×3 mean by a share drawn from [0, 1]. [B, 3, s, s] → same."""
    blurred = F.avg_pool2d(F.pad(crops, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return crops + torch.rand(len(crops), 1, 1, 1, device=crops.device) * (blurred - crops)


def pose_codes(
    network: DisentangledNetwork,
    store: PackedStore,
    rows: NDArray[np.int64],
    crops_at: Callable[[Tensor, Tensor], Tensor] | None = None,
    batch: int = 256,
    report: Callable[[int], None] | None = None,
) -> LabelledCodes:
    """E(S(I)) for the rows, in eval mode: batch statistics must not see what is being measured.

    crops_at: (frames, box of S) → crops [B, 3, s, s]; the network's own crop where it is not given.
    report: gets the number of rows done. Raises NonFiniteOutputs.
    """
    source = BatchSource(store, next(network.parameters()).device)
    network.eval()
    crops_at = crops_at or network.crop
    codes = []
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            frames = source.batch(rows[start : start + batch]).frames
            codes.append(network.encode(crops_at(frames, network.localise(frames)))[1])
            if report is not None:
                report(start + len(frames))
    made = torch.cat(codes)
    require_finite("pose codes are", made)
    return LabelledCodes(made, torch.from_numpy(store.poses[rows].copy()).to(made.device))


def varied_codes(
    network: DisentangledNetwork,
    store: PackedStore,
    rows: NDArray[np.int64],
    crops: int,
    spread: float,
    report: Callable[[int], None] | None = None,
) -> LabelledCodes:
    """Each row `crops` times: as S crops it, then from boxes nearby and softened, as a synthesised frame
    would show it. Draws from torch's generator. report: gets the number of crops done."""

    def vary(frames: Tensor, box: Tensor) -> Tensor:
        return softened(network.crop(frames, jittered(box, spread)))

    views = []
    for index in range(crops):

        def done(rows_done: int, before: int = index * len(rows)) -> None:
            if report is not None:
                report(before + rows_done)

        views.append(pose_codes(network, store, rows, None if index == 0 else vary, report=done))
    return LabelledCodes(torch.cat([v.codes for v in views]), torch.cat([v.poses for v in views]))


FitReport = Callable[[str, int, int, str], None]
"""What is being done, how far it is, of how much, and a remark."""


class RegressorConfig(Config):
    """Adam at 1e-3 and the network are Rhodin's (docs/architectures.md); loss, fraction, batch, length and
    crops are ours: φ sees each labelled frame in several crops, since the pose must not hang on where exactly
    the box lies or on the last pixel's sharpness."""

    fraction: float = Field(0.1, gt=0, le=1, description="labelled share of the frames, drawn at random")
    crops: int = Field(4, ge=1, description="crops of each labelled frame, the first at S's own box")
    box_jitter: float = Field(0.05, ge=0, description="spread of the other crops' boxes around S's")
    steps: int = Field(4000, ge=1)
    batch: int = Field(256, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    seed: Seed = 0


class NoPoses(InputError):
    """The labelled frames of a data set have no poses (NaN), as imported films have none."""

    def __init__(self, store: PackedStore, unknown: int, count: int) -> None:
        super().__init__(
            f"{store.path}: {unknown:,} of {count:,} labelled frames have no pose",
            "poses in mm for every frame that lends its label",
            "fit on a data set with poses; films (`data import video`) serve self-supervised training alone",
        )


def labelled_rows(rows: NDArray[np.int64], config: RegressorConfig) -> NDArray[np.int64]:
    """The frames whose labels may be used, ascending."""
    count = max(2, round(config.fraction * len(rows)))
    return np.sort(np.random.default_rng([config.seed, 0xF17]).permutation(rows)[:count])


def fit_regressor(
    network: DisentangledNetwork,
    labelled: LabelledCodes,
    config: RegressorConfig,
    report: Callable[[int, float], None],
) -> Regressor:
    """Trains φ on the MPJPE and attaches it to the network, in eval mode.

    φ works on labels standardised by (label − mean) / std, the root's std set to 1, but what it is judged by
    is what it minimises; squares would weigh the worst poses most. `report` gets the step and the
    batch's MPJPE in mm now and then.
    """
    torch.manual_seed(config.seed)
    device = labelled.codes.device
    regressor = Regressor(network.config).to(device)
    regressor.mean.copy_(labelled.poses.mean(0))
    regressor.std.copy_(labelled.poses.std(0).clamp(min=1e-3))
    regressor.std[0] = 1
    optimiser = torch.optim.Adam(
        regressor.parameters(), config.learning_rate, fused=fuses_optimisers(device) or None
    )
    regressor.train()
    count = len(labelled.poses)
    size = min(config.batch, count)
    for step in range(config.steps):
        optimiser.param_groups[0]["lr"] = config.learning_rate * cosine(step, config.steps)
        drawn = torch.from_numpy(step_generator(config.seed, step).integers(count, size=size))
        picked = upload(drawn, device)
        loss = (regressor(labelled.codes[picked]) - labelled.poses[picked]).norm(dim=-1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
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
    report: FitReport,
) -> NDArray[np.int64]:
    """Fits φ for the network of a training run and saves both there.

    Only sequences that trained the network lend labels. Returns the rows of its validation sequences.
    Raises NoPoses.
    """
    described = read_config(folder).training
    training = TrainConfig.of(described)
    rows, held_out = split_sequences(store, training.held_out, training.seed)
    labelled = labelled_rows(rows, config)
    network.requires_grad_(False)
    unknown = int(np.isnan(store.poses[labelled]).any(axis=(1, 2)).sum())
    if unknown:
        raise NoPoses(store, unknown, len(labelled))
    torch.manual_seed(config.seed)
    crops = config.crops * len(labelled)
    codes = varied_codes(
        network,
        store,
        labelled,
        config.crops,
        config.box_jitter,
        lambda done: report("reading pose codes", done, crops, ""),
    )
    fit_regressor(
        network,
        codes,
        config,
        lambda step, error: report("fitting the regressor", step, config.steps, f"{error:.1f} mm"),
    )
    fit = {**config.model_dump(mode="json"), "labelled_frames": len(labelled)}
    save_network(network, folder, {**described, "regressor_fit": fit})
    return held_out
