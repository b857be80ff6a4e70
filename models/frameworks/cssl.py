"""CSSL: disentanglement from time in video (Honari et al., 2020; paper, section 3).

No code and no formula could be had (docs/architectures.md): that pose codes drift apart as time passes and
that appearance is exchanged within a video is the paper's; the form below is the project's choice.
"""

import torch
from numpy import int64
from numpy.typing import NDArray
from torch import Tensor, nn

from dpa.models.config import Config
from dpa.models.data.augmentation import Augmentation
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Outcome, Sampler, VideoPairs
from dpa.models.frameworks.reconstruction import ReconstructionWeights, look, reconstruct


class CSSLWeights(Config):
    """temporal: weight of the temporal term. tau_s: after this many seconds a pose counts as 63 % new.
    spread: distance of pose codes (root mean square over channels) of frames that are far apart in time."""

    temporal: float = 0.02
    tau_s: float = 0.5
    spread: float = 0.5


def code_distance(first: Tensor, second: Tensor) -> Tensor:
    """Root mean square difference of two codes. [B, D] twice → [B]. The epsilon keeps the gradient finite
    where both are equal."""
    return ((first - second).square().mean(1) + 1e-8).sqrt()


def target_distance(gap_s: Tensor, weights: CSSLWeights) -> Tensor:
    """The distance that a time gap asks for: spread · (1 − exp(−gap / tau)). [B] seconds → [B]."""
    return weights.spread * (1 - torch.exp(-gap_s / weights.tau_s))


class CSSL:
    """Batches are pairs of frames of one video. Each frame is drawn with its own pose code and the other
    frame's appearance code; the pose codes' distance follows the frames' distance in time."""

    name = "cssl"
    extra: nn.Module | None = None

    def __init__(
        self,
        weights: ReconstructionWeights | None = None,
        temporal: CSSLWeights | None = None,
        swap_appearance: bool = True,
        augment: Augmentation | None = None,
    ) -> None:
        self.weights = weights or ReconstructionWeights()
        self.temporal = temporal or CSSLWeights()
        self.swap_appearance = swap_appearance
        self.augment = augment

    def sampler(self, store: PackedStore, rows: NDArray[int64]) -> Sampler:
        """Pairs (t1, t2) of one video."""
        return VideoPairs(store, rows)

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """Reconstruction under exchanged appearance, and the temporal term."""
        view = look(network, batch, self.augment)
        h_a, h_p = network.encode(view.inputs)
        partner = torch.arange(len(batch), device=h_a.device) ^ 1
        rgb, mask = network.decode(h_a[partner] if self.swap_appearance else h_a, h_p)
        terms, image = reconstruct(batch, view, rgb, mask, self.weights)
        gap = (batch.time[::2] - batch.time[1::2]).abs()
        distance = code_distance(h_p.float()[::2], h_p.float()[1::2])
        wanted = target_distance(gap, self.temporal)
        terms["temporal"] = self.temporal.temporal * (distance - wanted).square().mean()
        return Outcome(terms, view.crops.detach(), image, view.box.detach(), rgb, mask)

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """CSSL has no network of its own."""
        return None
