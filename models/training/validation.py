"""How good a network is on frames it was not trained on: reconstruction, boxes, poses."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.kernels.reference import crop
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.reconstruction import psnr
from dpa.models.training.batches import BatchSource
from dpa.models.training.pose_metrics import mpjpe, n_mpjpe, p_mpjpe


@dataclass(frozen=True)
class Validation:
    """Per-sample figures, all [N]; PSNR is None without a decoder, pose errors are without a regressor or
    where the set does not know a pose (NaN, as in imported films).

    psnr_db: of the reconstructed crop. box_iou: of S's box with the true one. MPJPE: 17 joints,
    root-relative to the hip, no alignment; N-MPJPE: after per-pose scaling; P-MPJPE: after similarity
    Procrustes without reflection.
    """

    psnr_db: NDArray[np.float64] | None
    box_iou: NDArray[np.float64]
    mpjpe_mm: NDArray[np.float64] | None
    n_mpjpe_mm: NDArray[np.float64] | None
    p_mpjpe_mm: NDArray[np.float64] | None

    def only(self, chosen: NDArray[np.bool_]) -> "Validation":
        """The figures of some samples. chosen: [N] bool."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: value[chosen] for name, value in values.items() if value is not None})

    def summary(self) -> dict[str, float]:
        """Means over the samples."""
        named = {
            "psnr_db": self.psnr_db,
            "box_iou": self.box_iou,
            "mpjpe_mm": self.mpjpe_mm,
            "n_mpjpe_mm": self.n_mpjpe_mm,
            "p_mpjpe_mm": self.p_mpjpe_mm,
        }
        return {name: float(np.mean(value)) for name, value in named.items() if value is not None}


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes θ. [B, 4] twice → [B]."""
    low = torch.maximum(first[:, 2:] - first[:, :2], second[:, 2:] - second[:, :2])
    high = torch.minimum(first[:, 2:] + first[:, :2], second[:, 2:] + second[:, :2])
    shared = (high - low).clamp(min=0).prod(1)
    areas = 4 * (first[:, :2].prod(1) + second[:, :2].prod(1))
    return shared / (areas - shared)


def validate(
    network: DisentangledNetwork, store: PackedStore, rows: NDArray[np.int64], batch: int = 128
) -> Validation:
    """Runs the network in eval mode over the rows, without any swap; leaves its mode as it was."""
    device = next(network.parameters()).device
    source = BatchSource(store, device)
    was_training = network.training
    network.eval()
    quality: list[Tensor] = []
    overlap: list[Tensor] = []
    poses: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            chosen = rows[start : start + batch]
            frames = source.batch(chosen)
            box = network.localise(frames.frames)
            crops = network.crop(frames.frames, box)
            h_a, h_p = network.encode(crops)
            if network.can_paint:
                rgb, mask = network.decode(h_a, h_p)
                plate = crop(frames.plates[frames.plate_index], box, network.crop_size)
                quality.append(psnr(plate + mask * (rgb - plate), crops).cpu())
            overlap.append(box_iou(box.cpu(), torch.from_numpy(store.box[chosen])))
            if network.can_regress:
                poses.append(network.regress(h_p).cpu())
    network.train(was_training)
    psnr_db = torch.cat(quality).double().numpy() if quality else None
    iou = torch.cat(overlap).double().numpy()
    if not poses or np.isnan(store.poses[rows]).any():
        return Validation(psnr_db, iou, None, None, None)
    predicted, truth = torch.cat(poses).double().numpy(), store.poses[rows].astype(np.float64)
    return Validation(
        psnr_db, iou, mpjpe(predicted, truth), n_mpjpe(predicted, truth), p_mpjpe(predicted, truth)
    )


def split_sequences(
    store: PackedStore, held_out: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows for training and for validation; whole sequences go to one side or the other."""
    sequences = np.unique(store.sequence)
    count = min(max(1, round(held_out * len(sequences))), len(sequences) - 1)
    kept = np.random.default_rng([seed, 0x5EED]).permutation(sequences)[:count]
    outside = np.isin(store.sequence, kept)
    return np.flatnonzero(~outside), np.flatnonzero(outside)
