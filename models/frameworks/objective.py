"""What the training loop asks of a framework: which frames make a batch, and the loss on it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpa.models import processes
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.sampling import Sampler


@dataclass(frozen=True)
class FrameBatch:
    """Frames with what self-supervision may know of them; no pose, no true box.

    frames: [B, 3, H, W] in [0, 1]; plates: [P, 3, H, W]; plate_index: [B]; rotation: [B, 3, 3] world →
    camera axes; subject, sequence: [B] int64 keys; time: [B] seconds within the sequence.
    """

    frames: Tensor
    plates: Tensor
    plate_index: Tensor
    rotation: Tensor
    subject: Tensor
    sequence: Tensor
    time: Tensor

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class LabelledBatch(FrameBatch):
    """Frames with their labels, for an objective that is supervised. pose: [B, 17, 3] mm, root-relative,
    camera axes; true_box: [B, 4]."""

    pose: Tensor
    true_box: Tensor


@dataclass(frozen=True)
class Outcome:
    """What one pass of an objective gives: weighted loss terms (their sum is the loss), the crops that were
    to be drawn and what was made of them, both [B, 3, s, s] and detached, S's box [B, 4], detached, and the
    decoder's colours [B, 3, s, s] and mask [B, 1, s, s], through which gradients flow."""

    terms: dict[str, Tensor]
    target: Tensor
    reconstruction: Tensor
    box: Tensor
    rgb: Tensor
    mask: Tensor

    @property
    def total(self) -> Tensor:
        """The scalar loss."""
        terms: Iterator[Tensor] = iter(self.terms.values())
        total = next(terms)
        for term in terms:
            total = total + term
        return total

    def averaged(self) -> "Outcome":
        """The same with the terms of the whole batch, without gradient, where several processes train."""
        if processes.count() == 1:
            return self
        values = processes.averaged(torch.stack([term.detach() for term in self.terms.values()]))
        return replace(self, terms=dict(zip(self.terms, values, strict=True)))


class Objective(Protocol):
    """One framework's self-supervision. Objectives with networks of their own (a discriminator) are
    nn.Modules: `extra` holds them, and `auxiliary_loss` is minimised over them in a step of its own."""

    name: str
    extra: nn.Module | None

    def sampler(self, store: PackedStore, rows: NDArray[np.int64]) -> Sampler:
        """What draws batches from these rows of the store, in the order that `forward` expects."""

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """The loss terms on one batch."""

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """The loss of the objective's own networks, or None where it has none."""
