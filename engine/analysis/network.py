"""What the analyses ask of a network. `DisentangledNetwork` offers it, and so may a network that a test or a
user brings."""

from typing import Protocol

from torch import Tensor

from dpa.engine.attack.roles import Generator


class Network(Generator, Protocol):
    """Localiser, crop, encoder and decoder as the attack's generator has them, and the pose of a frame."""

    def predict(self, frames: Tensor, /) -> Tensor:
        """φ(E(S(I))) from full frames [B, 3, H, W] in [0, 1] → pose [B, J, 3] mm, root-relative."""
        ...
