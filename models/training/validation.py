"""How good a network is on frames it was not trained on: reconstruction, boxes, poses, and whether pose codes
drift apart as time passes, which is what CSSL asks for (paper, section 3). Pose errors are in mm; every
printed figure states its protocol: 17 joints, root-relative to the hip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from torch import Tensor

from dpa.kernels.reference import crop
from dpa.models.data.store import PackedStore
from dpa.models.finite import NonFiniteOutputs, finite_rows
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.reconstruction import psnr
from dpa.models.training.batches import BatchSource
from dpa.models.training.regressor_fit import pose_codes

Poses = NDArray[np.float64]


def mpjpe(predicted: Poses, truth: Poses) -> Poses:
    """Mean per-joint position error, no alignment. [N, 17, 3] mm twice → [N] mm."""
    distance: Poses = np.linalg.norm(predicted - truth, axis=-1).mean(-1)
    return distance


def n_mpjpe(predicted: Poses, truth: Poses) -> Poses:
    """After the best scale per pose, s = ⟨p, g⟩ / ⟨p, p⟩. [N, 17, 3] mm twice → [N] mm."""
    scale = (predicted * truth).sum((1, 2)) / (predicted * predicted).sum((1, 2))
    return mpjpe(scale[:, None, None] * predicted, truth)


def p_mpjpe(predicted: Poses, truth: Poses) -> Poses:
    """After the best similarity per pose (Procrustes), reflections excluded. [N, 17, 3] mm twice → [N] mm."""
    centre_p, centre_t = predicted.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    p, t = predicted - centre_p, truth - centre_t
    u, s, vt = np.linalg.svd(np.swapaxes(p, 1, 2) @ t)
    sign = np.sign(np.linalg.det(u @ vt))
    s[:, -1] *= sign
    u[:, :, -1] *= sign[:, None]
    scale = s.sum(1) / (p * p).sum((1, 2))
    return mpjpe(scale[:, None, None] * (p @ (u @ vt)) + centre_t, truth)


NONFINITE = "the network gave out numbers that are not finite"


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

    @property
    def nonfinite(self) -> int:
        """Of how many samples a figure is not finite, because the network gave out no finite numbers."""
        return int((~self._sound()).sum())

    def _sound(self) -> NDArray[np.bool_]:
        # a perfect picture's PSNR is infinite
        quality = None if self.psnr_db is None else np.where(np.isposinf(self.psnr_db), 0.0, self.psnr_db)
        return finite_rows(quality, self.box_iou, self.mpjpe_mm)

    def require_sound(self) -> None:
        """Raises NonFiniteOutputs where a sample is no part of the summary."""
        if self.nonfinite:
            raise NonFiniteOutputs(NONFINITE, self.nonfinite, len(self.box_iou))

    def per_subject(self, subjects: NDArray[np.str_]) -> dict[str, dict[str, float]]:
        """The summary of each subject that has a sound sample. subjects: [N], whose each sample is."""
        parts = {str(name): self.only(subjects == name) for name in np.unique(subjects)}
        return {name: part.summary() for name, part in parts.items() if part.nonfinite < len(part.box_iou)}

    def summary(self) -> dict[str, float]:
        """Means over the samples of which every figure is finite. Raises NonFiniteOutputs without any."""
        sound = self._sound()
        if not sound.any():
            self.require_sound()
        named = {
            "psnr_db": self.psnr_db,
            "box_iou": self.box_iou,
            "mpjpe_mm": self.mpjpe_mm,
            "n_mpjpe_mm": self.n_mpjpe_mm,
            "p_mpjpe_mm": self.p_mpjpe_mm,
        }
        return {name: float(np.mean(value[sound])) for name, value in named.items() if value is not None}


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
    modes = [(module, module.training) for module in network.modules()]
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
    for module, training in modes:  # in a refinement the decoder alone trains
        module.training = training
    psnr_db = torch.cat(quality).double().numpy() if quality else None
    iou = torch.cat(overlap).double().numpy()
    if not poses or np.isnan(store.poses[rows]).any():
        return Validation(psnr_db, iou, None, None, None)
    predicted, truth = torch.cat(poses).double().numpy(), store.poses[rows].astype(np.float64)
    sound = finite_rows(predicted)
    errors = np.full((3, len(rows)), np.nan)
    if sound.any():
        measures = (mpjpe, n_mpjpe, p_mpjpe)
        errors[:, sound] = [measure(predicted[sound], truth[sound]) for measure in measures]
    return Validation(psnr_db, iou, *errors)


FEWEST_INSTANTS = 3
"""With two instants a video has one pair, and nothing to rank."""


@dataclass(frozen=True)
class TimeCorrelation:
    """codes: rank correlation of pose codes' distance and time gap. poses: the same of the true poses, which
    come back as well as they go: what can be expected of a code that knows the pose and nothing else."""

    codes: float
    poses: float


def videos(store: PackedStore, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows of each video, one sequence seen by one camera, that has three instants or more."""
    keys = np.stack([store.sequence[rows], store.camera[rows]])
    for key in np.unique(keys, axis=1).T:
        video = rows[(keys == key[:, None]).all(0)]
        if len(np.unique(store.time[video])) >= FEWEST_INSTANTS:
            yield video


def rank_correlation(codes: Sequence[ArrayLike], times: Sequence[ArrayLike]) -> float:
    """Spearman's rank correlation of code distance and time gap over the pairs of frames of a video, mean
    over videos. Within them, since some actions are fast and others slow.

    codes: [n, D] for each video; times: [n] seconds. In [-1, 1]; a video whose codes are all equal counts 0.
    """
    return float(np.mean([_of_one(code, time) for code, time in zip(codes, times, strict=True)]))


def _of_one(codes: ArrayLike, times: ArrayLike) -> float:
    distances = pdist(np.asarray(codes, dtype=np.float64))
    gaps = pdist(np.asarray(times, dtype=np.float64)[:, None])
    if np.ptp(distances) == 0 or np.ptp(gaps) == 0:
        return 0.0
    return float(spearmanr(distances, gaps).statistic)


def pose_time_spearman(
    network: DisentangledNetwork, store: PackedStore, rows: NDArray[np.int64]
) -> TimeCorrelation | None:
    """The rank correlation for a network's pose codes of these rows; None without a video of three
    instants."""
    found = list(videos(store, rows))
    if not found:
        return None
    labelled = pose_codes(network, store, np.concatenate(found))
    ends = np.cumsum([len(video) for video in found])[:-1]
    times = [store.time[video] for video in found]
    codes, poses = (np.split(one.flatten(1).cpu().numpy(), ends) for one in (labelled.codes, labelled.poses))
    return TimeCorrelation(rank_correlation(codes, times), rank_correlation(poses, times))
