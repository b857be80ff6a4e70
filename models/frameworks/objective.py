"""What the training loop asks of a framework: which frames make a batch (several views of two instants, or
two frames of one video), and the loss on it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpa.models import distributed
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork

Rows = NDArray[np.int64]


class Sampler(Protocol):
    """Draws the rows of one batch."""

    group: int

    def __call__(self, size: int, rng: np.random.Generator) -> Rows:
        """[size] rows; size is a multiple of `group`."""


class SynchronisedViews:
    """Groups of four frames of one sequence: two cameras at t, two cameras at t′ ≠ t."""

    group = 4

    def __init__(self, store: PackedStore, rows: Rows) -> None:
        self.sequences = [
            views
            for sequence in _by_sequence(store, rows)
            if (views := _instants_by_cameras(store, sequence)) is not None
        ]
        if not self.sequences:
            raise InputError(
                f"{store.path}: no sequence was seen at two instants by two cameras",
                "synchronised views, from which NSD learns",
                "use CSSL or DRNet, or data of several cameras",
            )

    def __call__(self, size: int, rng: np.random.Generator) -> Rows:
        picks = rng.integers(len(self.sequences), size=size // self.group)
        return np.concatenate([self._one(self.sequences[pick], rng) for pick in picks])

    def _one(self, instants: list[Rows], rng: np.random.Generator) -> Rows:
        chosen = rng.choice(len(instants), 2, replace=False)
        pairs = [instants[t][rng.choice(len(instants[t]), 2, replace=False)] for t in chosen]
        return np.concatenate(pairs)


def _by_sequence(store: PackedStore, rows: Rows) -> list[Rows]:
    order = rows[np.lexsort((store.camera[rows], store.frame[rows], store.sequence[rows]))]
    starts = np.flatnonzero(np.diff(store.sequence[order])) + 1
    return np.split(order, starts)


def _instants_by_cameras(store: PackedStore, sequence: Rows) -> list[Rows] | None:
    """Rows of each instant that two cameras or more saw, or None where there are no two such instants. Real
    films have gaps, and cameras that end early: a pair is enough."""
    starts = np.flatnonzero(np.diff(store.frame[sequence])) + 1
    instants = [rows for rows in np.split(sequence, starts) if len(rows) >= 2]
    return instants if len(instants) >= 2 else None


class VideoPairs:
    """Pairs of frames of one video: one sequence seen by one camera, at t1 ≠ t2."""

    group = 2

    def __init__(self, store: PackedStore, rows: Rows) -> None:
        self.videos = [
            video
            for sequence in _by_sequence(store, rows)
            for camera in np.unique(store.camera[sequence])
            if len(video := sequence[store.camera[sequence] == camera]) >= 2
        ]
        if not self.videos:
            raise InputError(
                f"{store.path}: no camera saw a sequence at two instants",
                "videos, from which CSSL and DRNet learn",
                "use data with several frames a clip",
            )

    def __call__(self, size: int, rng: np.random.Generator) -> Rows:
        picks = rng.integers(len(self.videos), size=size // self.group)
        return np.concatenate([rng.choice(self.videos[pick], 2, replace=False) for pick in picks])


class AnyFrames:
    """Frames one by one, whatever they show."""

    group = 1

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __call__(self, size: int, rng: np.random.Generator) -> Rows:
        return rng.choice(self.rows, size)


class RedressedMoments:
    """Groups of four: two moments of one sequence (each an instant seen by a camera), each in the same two
    outfits: (m, a), (m, b), (m′, a), (m′, b)."""

    group = 4

    def __init__(self, store: PackedStore, rows: Rows) -> None:
        self.sequences = [
            worn
            for sequence in _by_sequence(store, rows)
            if (worn := _moments_by_outfits(store, sequence)) is not None
        ]
        if not self.sequences:
            raise InputError(
                f"{store.path}: no sequence has two moments in two outfits each",
                "re-dressed pairs, from which oracle-swap learns",
                "make them with `dpa-engine data redress`, or build the network with `zoo build oracle-swap`",
            )

    def __call__(self, size: int, rng: np.random.Generator) -> Rows:
        picks = rng.integers(len(self.sequences), size=size // self.group)
        return np.concatenate([self._one(self.sequences[pick], rng) for pick in picks])

    def _one(self, worn: Rows, rng: np.random.Generator) -> Rows:
        moments = rng.choice(len(worn), 2, replace=False)
        outfits = rng.choice(worn.shape[1], 2, replace=False)
        return worn[np.ix_(moments, outfits)].ravel()


def _moments_by_outfits(store: PackedStore, sequence: Rows) -> Rows | None:
    """[moments, outfits] rows, or None where two of each are not to be had."""
    rows = sequence[np.lexsort((store.outfit[sequence], store.camera[sequence], store.frame[sequence]))]
    outfits = len(np.unique(store.outfit[rows]))
    if outfits < 2 or len(rows) % outfits or len(rows) < 2 * outfits:
        return None
    worn = rows.reshape(-1, outfits)
    complete = all((column[worn] == column[worn[:, :1]]).all() for column in (store.frame, store.camera))
    return worn if complete and (store.outfit[worn] == store.outfit[worn[0]]).all() else None


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
        if distributed.count() == 1:
            return self
        values = distributed.averaged(torch.stack([term.detach() for term in self.terms.values()]))
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
