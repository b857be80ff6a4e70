"""From frames to codes and poses: what a network must offer, and what most analyses start from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.attack.objective import Generator
from dpa.engine.attack.state import Rows
from dpa.models.data.store import PackedStore, as_images
from dpa.models.finite import require_finite


class Network(Generator, Protocol):
    """Localiser, crop, encoder and decoder as the attack's generator has them, and the pose of a frame."""

    def predict(self, frames: Tensor, /) -> Tensor:
        """φ(E(S(I))) from full frames [B, 3, H, W] in [0, 1] → pose [B, J, 3] mm, root-relative."""
        ...


BATCH = 64
"""Frames that go through a network together: bounds memory, not results."""


@dataclass(frozen=True)
class Codes(Rows):
    """What a network makes of n frames. index: [n] int64, their numbers in the store, on the CPU.
    appearance: [n, A]; pose: [n, P]; box: [n, 4]; all on the network's device."""

    index: Tensor
    appearance: Tensor
    pose: Tensor
    box: Tensor

    @property
    def rows(self) -> NDArray[np.int64]:
        """The frames' numbers, for the store's columns."""
        numbers: NDArray[np.int64] = self.index.numpy()
        return numbers


def encode_rows(
    network: Network, store: PackedStore, rows: NDArray[np.int64], device: torch.device, batch: int = BATCH
) -> Codes:
    """h_a, h_p = E(S(I)) of some frames (at least one), and the boxes that S found. Raises
    NonFiniteOutputs: an analysis is of all its frames together."""
    parts = []
    for start in range(0, len(rows), batch):
        index = rows[start : start + batch]
        frames = store.frames_at(index).to(device)
        with torch.no_grad():
            box = network.localise(frames)
            h_a, h_p = network.encode(network.crop(frames, box))
        parts.append(Codes(torch.from_numpy(index), h_a, h_p, box))
    codes = Codes.cat(parts)
    require_finite("boxes and codes are", codes.box, codes.appearance, codes.pose)
    return codes


def predict_rows(
    network: Network, store: PackedStore, rows: NDArray[np.int64], device: torch.device, batch: int = BATCH
) -> NDArray[np.float64]:
    """φ(E(S(I))) of some frames (at least one): [n, J, 3] mm, root-relative. Raises NonFiniteOutputs."""
    parts = []
    for start in range(0, len(rows), batch):
        with torch.no_grad():
            frames = store.frames_at(rows[start : start + batch]).to(device)
            parts.append(network.predict(frames).double().cpu())
    predicted = torch.cat(parts)
    require_finite("poses are", predicted)
    poses: NDArray[np.float64] = predicted.numpy()
    return poses


def crops_of(network: Network, store: PackedStore, codes: Codes, batch: int = BATCH) -> Tensor:
    """The encoder's inputs I_c that belong to codes, [n, 3, s, s] in [0, 1], on the codes' device."""
    parts = []
    for start in range(0, len(codes), batch):
        part = slice(start, start + batch)
        frames = store.frames_at(codes.rows[part]).to(codes.box.device)
        with torch.no_grad():
            parts.append(network.crop(frames, codes.box[part]))
    return torch.cat(parts)


@dataclass(frozen=True)
class Backgrounds:
    """plates: [P, 3, H, W] in [0, 1], those that n frames stand before. index: [n] int64 into them."""

    plates: Tensor
    index: Tensor

    def take(self, rows: Tensor) -> "Backgrounds":
        """The backgrounds of some of the frames."""
        return Backgrounds(self.plates, self.index[rows])


def backgrounds_of(store: PackedStore, codes: Codes) -> Backgrounds:
    """The plates of the frames that codes belong to, on the codes' device."""
    numbers, index = np.unique(store.plate[codes.rows], return_inverse=True)
    device = codes.box.device
    plates = as_images(np.array(store.plates[numbers], subok=False)).to(device)
    return Backgrounds(plates, torch.from_numpy(index.astype(np.int64)).to(device))
