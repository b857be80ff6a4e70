"""The two roles of an attack, as the few methods that it calls. Any network that offers them can be
attacked or can generate; `DisentangledNetwork` offers both."""

from typing import Protocol

from torch import Tensor


class Generator(Protocol):
    """Makes the adversarial picture: its own localiser, encoder and decoder (Algorithm 1's G)."""

    training: bool

    def localise(self, frames: Tensor, /) -> Tensor:
        """[B, 3, H, W] in [0, 1] → box [B, 4]."""
        ...

    def crop(self, frames: Tensor, box: Tensor, /) -> Tensor:
        """[B, 3, H, W], [B, 4] → [B, 3, s, s]."""
        ...

    def encode(self, crops: Tensor, /) -> tuple[Tensor, Tensor]:
        """[B, 3, s, s] → appearance code [B, A], pose code [B, P]."""
        ...

    def decode(self, h_a: Tensor, h_p: Tensor, /) -> tuple[Tensor, Tensor]:
        """Codes → rgb [B, 3, s, s], mask [B, 1, s, s] in [0, 1], normalised."""
        ...


class Target(Protocol):
    """Is attacked: localiser S, encoder E, regressor φ."""

    training: bool

    @property
    def crop_size(self) -> int:
        """Side of a crop in pixels."""
        ...

    @property
    def localiser_size(self) -> int:
        """Side of the localiser's input in pixels."""
        ...

    def localise_thumbnails(self, thumbnails: Tensor, /) -> Tensor:
        """[B, 3, t, t], the frame at localiser size → box [B, 4]."""
        ...

    def encode(self, crops: Tensor, /) -> tuple[Tensor, Tensor]:
        """[B, 3, s, s] → appearance code [B, A], pose code [B, P]."""
        ...

    def regress(self, h_p: Tensor, /) -> Tensor:
        """[B, P] → pose [B, J, 3] mm, root-relative."""
        ...

    def predict(self, frames: Tensor, /) -> Tensor:
        """φ(E(S(I))) from full frames [B, 3, H, W] → pose [B, J, 3] mm."""
        ...
