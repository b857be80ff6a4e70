"""Pose codes with their labels, as a regressor is fitted on them: each frame in several crops."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.batches import BatchSource


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
    report: gets the number of rows done.
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
    return LabelledCodes(torch.cat(codes), torch.from_numpy(store.poses[rows].copy()).to(codes[0].device))


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
