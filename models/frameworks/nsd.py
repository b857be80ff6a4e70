"""NSD: disentanglement from several calibrated views (Rhodin et al., 2019; paper, section 3)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpa.models import distributed
from dpa.models.data.augmentation import Augmentation
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Outcome, Sampler, SynchronisedViews
from dpa.models.frameworks.reconstruction import ReconstructionWeights, look, reconstruct


def rotate_pose_code(h_p: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """The pose code of one camera as another camera of the same instant should see it.

    h_p: [B, 600], 200 points × 3 in the source camera's axes; source, target: [B, 3, 3] world → camera.
    The points turn by R_target · R_sourceᵀ; rotation only (docs/architectures.md). Returns [B, 600].
    """
    points = h_p.reshape(len(h_p), -1, 3)
    turn = target @ source.transpose(1, 2)
    return (points @ turn.transpose(1, 2)).reshape(h_p.shape)


class NSD:
    """Batches are groups of four frames of one (subject, sequence): two cameras at t, two at t′.

    The pose code comes from one of the two cameras of the instant, turned into the target's axes; the
    appearance code comes from the other instant.
    """

    name = "nsd"
    extra: nn.Module | None = None

    def __init__(
        self,
        weights: ReconstructionWeights | None = None,
        swap_appearance: bool = True,
        augment: Augmentation | None = None,
    ) -> None:
        self.weights = weights or ReconstructionWeights()
        self.augment = augment
        self.swap_appearance = swap_appearance

    def sampler(self, store: PackedStore, rows: NDArray[np.int64]) -> Sampler:
        """Groups of four: (camera a, t), (camera b, t), (camera c, t′), (camera d, t′)."""
        return SynchronisedViews(store, rows)

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """See the class; the loss terms are those of `reconstruct`."""
        view = look(network, batch, self.augment)
        h_a, h_p = network.encode(view.inputs)
        pose_from, appearance_from = self._exchange(len(batch), h_a.device)
        turned = rotate_pose_code(h_p.float()[pose_from], batch.rotation[pose_from], batch.rotation)
        rgb, mask = network.decode(h_a[appearance_from], turned)
        terms, image = reconstruct(batch, view, rgb, mask, self.weights)
        return Outcome(terms, view.crops.detach(), image, view.box.detach(), rgb, mask)

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """NSD has no network of its own."""
        return None

    def _exchange(self, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """For each frame, the row whose pose code and the row whose appearance code draw it."""
        base = torch.arange(size, device=device)
        pair, instant = base // 2 * 2, base // 2 % 2
        other_instant = pair + torch.where(instant == 0, 2, -2)
        swap = _coins(size // 2, device).repeat_interleave(2)
        pose_from = torch.where(swap == 1, pair + 1 - base % 2, base)
        appearance_from = other_instant + _coins(size, device)
        return pose_from, appearance_from if self.swap_appearance else base


def _coins(size: int, device: torch.device) -> Tensor:
    """[size] of 0 or 1."""
    return distributed.part(torch.randint(0, 2, (distributed.count() * size,), device=device))
