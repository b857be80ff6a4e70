"""Calibration, the other end of the scale: a network whose pose comes from a silhouette alone, and whose own
pictures can only change in colours that the silhouette's finder cannot see.

How a silhouette is had from a frame without its plate (the project's choice). No function of all three
colours would do: whatever finds a person by colour can be led astray by colour. So one channel carries the
shape, and the two others the appearance.

- Localiser and segmenter see the blue channel only; the pose code comes from the segmenter's soft mask alone.
- The decoder paints blue, and the mask, from the pose code alone; the appearance code decides red and green.

Then in a picture of the network's own, with M⁰ and B fixed, every number on the way from the blue channel to
the pose is independent of the appearance code: the gradient of the pose is exactly 0, in every precision, and
no appearance code whatsoever moves it. Pictures of other generators and photographs have no such guarantee:
there the segmenter is as good as it is.
"""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.kernels.reference import crop
from dpa.models.config import Config
from dpa.models.data.augmentation import Augmentation
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Outcome, Sampler, VideoPairs
from dpa.models.frameworks.reconstruction import (
    ReconstructionWeights,
    coin_cost,
    look,
    reconstruct,
    silhouette_guess,
)
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.decoder import FIRST_CONTRAST, Decoder, UpBlock
from dpa.models.networks.encoder import Encoder, Localiser

BLUE = 2
"""The channel that carries the shape. The eye misses it least."""


def shape_channel(images: Tensor) -> Tensor:
    """The blue channel three times over. [B, 3, h, w] → same."""
    return images[:, BLUE : BLUE + 1].expand(-1, 3, -1, -1)


class Segmenter(nn.Module):
    """Where the person is, from the blue channel: down twice, up twice, with a shortcut at each size."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.fine = _block(1, width)
        self.middle = _block(width, 2 * width)
        self.coarse = _block(2 * width, 4 * width)
        self.up_middle = _block(6 * width, 2 * width)
        self.up_fine = _block(3 * width, width)
        self.mask = nn.Conv2d(width, 1, 1)

    def forward(self, crops: Tensor) -> Tensor:
        """[B, 3, s, s] in [0, 1], s divisible by 4 → soft mask [B, 1, s, s]."""
        fine = self.fine(crops[:, BLUE : BLUE + 1] - 0.5)
        middle = self.middle(F.avg_pool2d(fine, 2))
        coarse = self.coarse(F.avg_pool2d(middle, 2))
        middle = self.up_middle(torch.cat([F.interpolate(coarse, scale_factor=2.0), middle], dim=1))
        fine = self.up_fine(torch.cat([F.interpolate(middle, scale_factor=2.0), fine], dim=1))
        logit: Tensor = self.mask(fine)
        return logit.sigmoid().to(crops.dtype)


class SilhouetteEncoder(nn.Module):
    """Appearance code from the crop, pose code from the silhouette, each by an encoder of its own."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.segmenter = Segmenter()
        self.shape = Encoder(config)
        self.colour = Encoder(config)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, s, s] in [0, 1] → h_a [B, 128], h_p [B, 600]."""
        silhouette = self.segmenter(crops).expand(-1, 3, -1, -1)
        return self.colour(crops)[0], self.shape(silhouette)[1]


class SilhouetteDecoder(Decoder):
    """Red and green from both codes; blue and the mask from the pose code alone."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        width = config.decoder.pose_channels
        for channels in config.decoder.blocks:
            layers.append(UpBlock(width, channels, 1))
            width = channels
        self.shape = nn.Sequential(*layers, nn.Conv2d(width, 2, 1))
        initialise([layer for layer in self.shape.modules() if isinstance(layer, nn.Conv2d)])

    def paint(self, h_a: Tensor, pose_map: Tensor) -> Tensor:
        """[B, 128], [B, C, start, start] → [B, 4, s, s]: colours and mask logit."""
        coloured, shape = super().paint(h_a, pose_map), self.shape(pose_map)
        return torch.cat([coloured[:, :BLUE], shape], dim=1)


class ShapeLocaliser(Localiser):
    """Sees the blue channel only."""

    def forward(self, thumbnails: Tensor) -> Tensor:
        """[B, 3, t, t] in [0, 1] → [B, 4]."""
        return super().forward(shape_channel(thumbnails))


class SilhouetteNetwork(DisentangledNetwork):
    """The network of the framework `silhouette`. blind: its pose has no gradient at the appearance code."""

    blind = True

    def __init__(self, config: NetworkConfig, framework: str) -> None:
        super().__init__(config, framework)
        self.localiser = ShapeLocaliser(config)
        self.encoder = SilhouetteEncoder(config)  # type: ignore[assignment]  # the same call, other parts
        self.decoder = SilhouetteDecoder(config)

    @property
    def segmenter(self) -> Segmenter:
        """What finds the silhouette."""
        return cast(SilhouetteEncoder, self.encoder).segmenter


class SilhouetteWeights(Config):
    """segmentation: weight of the cross-entropy against background subtraction, which falls before the codes
    can settle."""

    segmentation: float = 0.1


class Silhouette:
    """Batches are pairs (t1, t2) of one video, drawn with exchanged appearance codes. The segmenter learns
    from background subtraction, on the frames and on the network's own pictures: these are to show the same
    silhouette, which also teaches the decoder to paint a blue that stands out."""

    name = "silhouette"
    extra: nn.Module | None = None

    def __init__(
        self,
        weights: ReconstructionWeights | None = None,
        silhouette: SilhouetteWeights | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self.weights = weights or ReconstructionWeights()
        self.silhouette = silhouette or SilhouetteWeights()
        self.augment = augment

    def sampler(self, store: PackedStore, rows: NDArray[np.int64]) -> Sampler:
        """Pairs (t1, t2) of one video."""
        return VideoPairs(store, rows)

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """Reconstruction under exchanged appearance, and the segmenter's cross-entropy."""
        assert isinstance(network, SilhouetteNetwork)
        view = look(network, batch, self.augment)
        h_a, h_p = network.encode(view.inputs)
        partner = torch.arange(len(batch), device=h_a.device) ^ 1
        rgb, mask = network.decode(h_a[partner], h_p)
        terms, image = reconstruct(batch, view, rgb, mask, self.weights)
        plates = crop(batch.plates[batch.plate_index], view.box.detach(), network.crop_size)
        guess = silhouette_guess(view.crops.detach(), plates)
        painted = plates + mask.float() * (rgb.float() - plates)
        found = network.segmenter(torch.cat([view.crops.detach(), painted])).float()
        terms["segmentation"] = self.silhouette.segmentation * coin_cost(found, torch.cat([guess, guess]))
        return Outcome(terms, view.crops.detach(), image, view.box.detach(), rgb, mask)

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """No network of its own."""
        return None


def initialise(convolutions: list[nn.Conv2d]) -> None:
    """As in Decoder: He's weights, and little contrast in the last layer."""
    for layer in convolutions:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    nn.init.normal_(convolutions[-1].weight, std=FIRST_CONTRAST)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
