"""DRNet: similar appearance over time, and pose codes from which nobody can be told (Denton and
Birodkar, 2017; paper, section 3)."""

import torch
from numpy import int64
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models import distributed
from dpa.models.config import Config
from dpa.models.data.augmentation import Augmentation
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Outcome, Sampler, VideoPairs
from dpa.models.frameworks.reconstruction import ReconstructionWeights, look, reconstruct
from dpa.models.networks.discriminators import PairDiscriminator


class DRNetWeights(Config):
    """similarity: the published weight of 1 presumes normalised codes and a pixel loss near 1; this one is
    scaled to a pixel loss near 0.005, which 1 drowns (docs/architectures.md). adversarial: the one that the
    authors' own code takes. A larger one takes more of the person out of the pose code, and more of the pose
    with it (README)."""

    similarity: float = 0.01
    adversarial: float = 0.0001


class DRNet:
    """Batches are pairs (t1, t2) of one video: the second frame is drawn from its own pose code and the
    first one's appearance code. The discriminator learns to tell pairs of one person from pairs of two,
    in its own step, before the network, which is to leave it at 0.5, takes its own."""

    name = "drnet"

    def __init__(
        self,
        pose_dim: int,
        weights: ReconstructionWeights | None = None,
        disentangling: DRNetWeights | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self.weights = weights or ReconstructionWeights()
        self.disentangling = disentangling or DRNetWeights()
        self.augment = augment
        self.discriminator = PairDiscriminator(pose_dim)
        self.extra: nn.Module | None = self.discriminator

    def sampler(self, store: PackedStore, rows: NDArray[int64]) -> Sampler:
        """Pairs (t1, t2) of one video."""
        return VideoPairs(store, rows)

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """Reconstruction, MSE(c1, stopgrad c2), and BCE(C(p1, stopgrad p2), 0.5)."""
        view = look(network, batch, self.augment)
        h_a, h_p = network.encode(view.inputs)
        partner = torch.arange(len(batch), device=h_a.device) ^ 1
        rgb, mask = network.decode(h_a[partner], h_p)
        terms, image = reconstruct(batch, view, rgb, mask, self.weights)
        terms["similarity"] = self.disentangling.similarity * F.mse_loss(h_a, h_a[partner].detach())
        logits = self.discriminator(h_p.float(), h_p.float()[partner].detach())
        undecided = torch.full_like(logits, 0.5)
        terms["adversarial"] = self.disentangling.adversarial * F.binary_cross_entropy_with_logits(
            logits, undecided
        )
        return Outcome(terms, view.crops.detach(), image, view.box.detach(), rgb, mask)

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """Binary cross-entropy of "same person" on detached pose codes: pairs of one video are positive,
        pairs of different subjects negative."""
        with torch.no_grad():
            h_p = network.encode(look(network, batch, self.augment).inputs)[1].float()
        first, second, subject = h_p[::2], h_p[1::2], batch.subject[::2]
        other = distributed.part(torch.randperm(distributed.count() * len(first), device=h_p.device))
        differ = (subject != distributed.gathered(subject)[other]).float()
        positive = self.discriminator(first, second)
        negative = self.discriminator(first, distributed.gathered(second)[other])
        labels = torch.cat([torch.ones_like(positive), torch.zeros_like(negative)])
        # pairs of one subject by chance count nothing; to leave them out would be to wait for a GPU
        counted = torch.cat([torch.ones_like(differ), differ])
        each = F.binary_cross_entropy_with_logits(
            torch.cat([positive, negative]), labels, counted, reduction="sum"
        )
        return each / counted.sum() * distributed.weight_of(counted.sum())
