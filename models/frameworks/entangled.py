"""Calibration, one end of the scale: a plain autoencoder whose code is split anyhow. Nothing tells the two
codes apart: no swap, no rotation, no term on the codes."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from dpa.models.data.augmentation import Augmentation
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import AnyFrames, FrameBatch, Outcome, Sampler
from dpa.models.frameworks.reconstruction import ReconstructionWeights, look, reconstruct


class Entangled:
    """Every frame is drawn with its own two codes."""

    name = "entangled"
    extra: nn.Module | None = None

    def __init__(
        self, weights: ReconstructionWeights | None = None, augment: Augmentation | None = None
    ) -> None:
        self.weights = weights or ReconstructionWeights()
        self.augment = augment

    def sampler(self, store: PackedStore, rows: NDArray[np.int64]) -> Sampler:
        """Any frames."""
        return AnyFrames(rows)

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """Reconstruction alone."""
        view = look(network, batch, self.augment)
        rgb, mask = network.decode(*network.encode(view.inputs))
        terms, image = reconstruct(batch, view, rgb, mask, self.weights)
        return Outcome(terms, view.crops.detach(), image, view.box.detach(), rgb, mask)

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """No network of its own."""
        return None
