"""What every framework offers: localise, crop, encode, decode, regress. Attack, analyses and export
know a network only through this class."""

import hashlib
from pathlib import Path

from torch import Tensor, nn

from dpa.kernels.reference import crop, whole_frame
from dpa.models.errors import InputError
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.decoder import Decoder
from dpa.models.networks.encoder import Encoder, Localiser
from dpa.models.networks.regressor import Regressor


class NoRegressor(InputError):
    """A pose was asked of a network whose regressor has not been fitted."""

    def __init__(self) -> None:
        super().__init__(
            "this network has no pose regressor",
            "a network after `dpa-engine fit-regressor`",
            "run `dpa-engine fit-regressor RUN DATA` first",
        )


class DisentangledNetwork(nn.Module):
    """Spatial transformer S, encoder E, decoder D and, once fitted, regressor φ.

    The frameworks share this network and differ in the objective that trains it (paper, section 3).
    """

    def __init__(self, config: NetworkConfig, framework: str) -> None:
        super().__init__()
        self.config = config
        self.framework = framework
        self.source: Path | None = None
        self.localiser = Localiser(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.regressor: Regressor | None = None

    def fingerprint(self) -> str:
        """SHA-256 over class, framework, configuration, and names, shapes, dtypes and bytes of every
        parameter and buffer: what results that are kept, and engines, depend on."""
        digest = hashlib.sha256(f"{type(self).__qualname__} {self.framework}".encode())
        digest.update(self.config.model_dump_json().encode())
        for name, value in sorted(self.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def can_regress(self) -> bool:
        """Whether it predicts poses: its regressor has been fitted."""
        return self.regressor is not None

    @property
    def can_paint(self) -> bool:
        """Whether it has a decoder that makes pictures."""
        return True

    @property
    def crop_size(self) -> int:
        """Side of a crop in pixels."""
        return self.config.crop_size

    @property
    def localiser_size(self) -> int:
        """Side of the localiser's input in pixels."""
        return self.config.localiser_size

    def localise_thumbnails(self, thumbnails: Tensor) -> Tensor:
        """[B, 3, t, t], the frame bilinearly sampled at localiser size → box [B, 4]."""
        box: Tensor = self.localiser(thumbnails)
        return box

    def localise(self, frames: Tensor) -> Tensor:
        """[B, 3, H, W] in [0, 1] → box θ [B, 4], differentiable."""
        return self.localise_thumbnails(crop(frames, whole_frame(frames), self.localiser_size))

    def crop(self, frames: Tensor, box: Tensor) -> Tensor:
        """[B, 3, H, W], [B, 4] → [B, 3, s, s], bilinear, zero outside the frame."""
        return crop(frames, box, self.crop_size)

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, s, s] in [0, 1] → appearance code [B, 128], pose code [B, 600]. Applies the bump window."""
        codes: tuple[Tensor, Tensor] = self.encoder(crops)
        return codes

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 128], [B, 600] → rgb [B, 3, s, s] in [0, 1], mask [B, 1, s, s] in [0, 1], normalised."""
        painted: tuple[Tensor, Tensor] = self.decoder(h_a, h_p)
        return painted

    def regress(self, h_p: Tensor) -> Tensor:
        """[B, 600] → pose [B, 17, 3] mm, root-relative, camera axes. Raises NoRegressor."""
        if self.regressor is None:
            raise NoRegressor
        pose: Tensor = self.regressor(h_p)
        return pose

    def predict(self, frames: Tensor) -> Tensor:
        """φ(E(S(I))): [B, 3, H, W] in [0, 1] → pose [B, 17, 3] mm."""
        return self.regress(self.encode(self.crop(frames, self.localise(frames)))[1])
