"""Calibration: as disentangled as supervision can make it. Trained on generated people whose every moment
exists in several outfits, so that the exchange of appearance has a true picture to be compared with."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpa.models.config import Config
from dpa.models.data.augmentation import Augmentation
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Outcome, RedressedMoments, Sampler
from dpa.models.frameworks.reconstruction import ReconstructionWeights, look, reconstruct

DIRECTIONS, FLOOR = 32, 0.05
"""Directions of a code weigh alike, down to this share of the variance of the 32nd largest: what varies less
is rounding. One direction's variance, however large, cannot move that mark (the project's choice)."""


class OracleWeights(Config):
    """agreement: weight of the codes' disagreement, which is relative to their spread over the batch and so
    knows no unit (the project's choice)."""

    agreement: float = 0.02


def disagreement(code: Tensor, same: Tensor) -> Tensor:
    """Mean squared difference to the row that should have the same code, of whitened codes and for each of
    their directions: 0 where they agree, about 2 where they have nothing to do with each other. code: [B, D];
    same: [B] int64.

    The covariance is part of the gradient: codes cannot agree by shrinking, nor by inflating one direction in
    which they agree and leaving the disagreement to those that hardly count.
    """
    with torch.autocast(code.device.type, enabled=False):
        code = code.double()  # directions that differ a thousandfold are singular in single precision
        centred, apart = code - code.mean(dim=0), code - code[same]
        spread = centred.T @ centred / (len(code) - 1)
        place = min(DIRECTIONS, len(code) - 1, code.shape[1])
        variances = torch.linalg.eigvalsh(spread.detach())
        mark = torch.maximum(variances[-place], 1e-7 * variances.sum() + 1e-12)
        metric = spread + FLOOR * mark * torch.eye(len(spread), dtype=code.dtype, device=code.device)
        solved = torch.linalg.solve(metric, torch.cat([apart.T, spread], dim=1))
        differences, shares = solved[:, : len(code)], solved[:, len(code) :]
        ratio: Tensor = (apart.T * differences).sum() / len(code) / shares.trace()
        return ratio.float()


class OracleSwap:
    """Batches are groups of four: two moments of one body, each in the same two outfits. Every picture is
    drawn with the pose code of its moment in the *other* outfit and the appearance code of its outfit at the
    *other* moment; codes that should be the same are also drawn together."""

    name = "oracle-swap"
    extra: nn.Module | None = None

    def __init__(
        self,
        weights: ReconstructionWeights | None = None,
        oracle: OracleWeights | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self.weights = weights or ReconstructionWeights()
        self.oracle = oracle or OracleWeights()
        self.augment = augment

    def sampler(self, store: PackedStore, rows: NDArray[np.int64]) -> Sampler:
        """Groups of four: (moment m, outfit a), (m, b), (m′, a), (m′, b)."""
        return RedressedMoments(store, rows)

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """Reconstruction from exchanged codes, and the codes' disagreement."""
        view = look(network, batch, self.augment)
        h_a, h_p = network.encode(view.inputs)
        row = torch.arange(len(batch), device=h_a.device)
        other_outfit, other_moment = row ^ 1, row ^ 2
        rgb, mask = network.decode(h_a[other_moment], h_p[other_outfit])
        terms, image = reconstruct(batch, view, rgb, mask, self.weights)
        terms["pose_agreement"] = self.oracle.agreement * disagreement(h_p.float(), other_outfit)
        terms["appearance_agreement"] = self.oracle.agreement * disagreement(h_a.float(), other_moment)
        return Outcome(terms, view.crops.detach(), image, view.box.detach(), rgb, mask)

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """No network of its own."""
        return None
