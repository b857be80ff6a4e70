"""Reconstruction losses shared by the frameworks: pixels, edges in place of ImageNet features, the frame-
level term that teaches the localiser where the person is, and the start of localiser and mask by background
subtraction, without any annotation."""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dpa.kernels.reference import composite, crop, whole_frame
from dpa.models import distributed
from dpa.models.config import Config
from dpa.models.data.augmentation import Augmentation
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch

THRESHOLD = 0.14
"""Smallest colour difference, in [0, 1], that counts as a person. Soft shadows stay mostly below it."""
MARGIN = 1.15
SOFTNESS = 0.03
SMALLEST = 0.2


def background_boxes(frames: Tensor, plates: Tensor, plate_index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Square boxes around what differs from the plate, with a margin of 15 % (the project's choice).

    frames: [B, 3, H, W]; plates: [P, 3, H, W]; plate_index: [B]; size: side in pixels at which to look.
    Returns boxes [B, 4] and found [B] bool, False where nothing differs.
    """
    thumbnails = crop(frames, whole_frame(frames), size)
    background = crop(plates, whole_frame(plates), size)[plate_index]
    differs = (thumbnails - background).abs().amax(1, keepdim=True) > THRESHOLD
    # A 3×3 vote removes single pixels of noise, which would stretch a box across the frame.
    solid = F.avg_pool2d(differs.float(), 3, 1, 1)[:, 0] > 0.5
    centres = (2 * torch.arange(size, device=frames.device) + 1) / size - 1
    left, right = _extent(solid.any(1), centres)
    top, bottom = _extent(solid.any(2), centres)
    side = torch.maximum(right - left, bottom - top) / 2 + 1 / size
    scale = (MARGIN * side).clamp(SMALLEST, 1)
    box = torch.stack([scale, scale, (left + right) / 2, (top + bottom) / 2], dim=1)
    return box, solid.flatten(1).any(1)


def silhouette_guess(crops: Tensor, plate_crops: Tensor) -> Tensor:
    """Where a crop differs from its plate, softly. [B, 3, s, s] twice → [B, 1, s, s] in [0, 1]."""
    difference = (crops - plate_crops).abs().amax(1, keepdim=True)
    return ((difference - THRESHOLD) / SOFTNESS).sigmoid()


def _extent(occupied: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.where(occupied, centres, 2.0).amin(1)
    high = torch.where(occupied, centres, -2.0).amax(1)
    return low, high


class ReconstructionWeights(Config):
    """Weights of the terms. Pixel 1 and perceptual 2 are NSD's (docs/architectures.md). NSD's box prior
    of 0.1 goes with images divided by ImageNet's spread, whose squared errors are 20 times ours: 0.005. The
    frame term's weight and the use of edges for "perceptual" are the project's choice."""

    pixel: float = 1.0
    perceptual: float = 2.0
    frame: float = 1.0
    box_prior: float = 0.005
    prior_scale: float = 0.4
    mask_start: float = 0.05
    edge_scales: int = Field(3, ge=1, description="levels of the pyramid on which edges are compared")


@dataclass(frozen=True)
class View:
    """A batch as the network sees it: thumbnails [B, 3, t, t], boxes [B, 4], crops [B, 3, s, s] and what
    the encoder gets in their place, the same crops augmented."""

    thumbnails: Tensor
    box: Tensor
    crops: Tensor
    inputs: Tensor


def look(network: DisentangledNetwork, batch: FrameBatch, augment: Augmentation | None = None) -> View:
    """Localise, crop and augment; gradients flow to the box through the crop."""
    thumbnails = crop(batch.frames, whole_frame(batch.frames), network.localiser_size)
    box = network.localise_thumbnails(thumbnails).float()
    crops = network.crop(batch.frames, box)
    return View(thumbnails, box, crops, crops if augment is None else augment(crops))


def edge_distance(image: Tensor, target: Tensor, scales: int = 3) -> Tensor:
    """Mean squared difference of horizontal and vertical image gradients, averaged over an image pyramid.

    It stands where NSD compares ImageNet ResNet-18 features, whose weights would have to be downloaded
    (the project's choice). [B, 3, s, s] twice → scalar.
    """
    difference = image - target
    total = difference.new_zeros(())
    for scale in range(scales):
        if scale:
            difference = F.avg_pool2d(difference, 2)
        total = total + (difference[..., 1:] - difference[..., :-1]).square().mean()
        total = total + (difference[..., 1:, :] - difference[..., :-1, :]).square().mean()
    return total / scales


def coin_cost(mask: Tensor, guess: Tensor, floor: float = 1e-4) -> Tensor:
    """Binary cross-entropy, which unlike a squared error still pulls at a mask that has all but vanished.
    [B, 1, s, s] twice in [0, 1] → scalar."""
    return -(guess * (mask + floor).log() + (1 - guess) * (1 - mask + floor).log()).mean()


def reconstruct(
    batch: FrameBatch, view: View, rgb: Tensor, mask: Tensor, weights: ReconstructionWeights
) -> tuple[dict[str, Tensor], Tensor]:
    """Loss terms of decoded people, and the reconstructed crops [B, 3, s, s].

    Pixels and edges are compared in the crop, whose box is held fixed there: a box that could slide to an
    empty wall would make that loss vanish. The box learns from the frame term, which composes the person
    at the box's place over the thumbnail of the plate and compares with the whole thumbnail.
    """
    rgb, mask = rgb.float(), mask.float()
    size, thumbnail_size = rgb.shape[-1], view.thumbnails.shape[-1]
    fixed = view.box.detach()
    plate_crops = crop(batch.plates[batch.plate_index], fixed, size)
    image = plate_crops + mask * (rgb - plate_crops)
    target = view.crops.detach()
    plate_thumbnails = crop(batch.plates, whole_frame(batch.plates), thumbnail_size)
    frame = composite(rgb, mask, view.box, plate_thumbnails, batch.plate_index)
    mean_box = distributed.averaged(view.box.mean(0))
    prior = mean_box[2:].square().sum() + (mean_box[:2] - weights.prior_scale).square().sum()
    terms = {
        "pixel": weights.pixel * F.mse_loss(image, target),
        "perceptual": weights.perceptual * edge_distance(image, target, weights.edge_scales),
        "frame": weights.frame * F.mse_loss(frame, view.thumbnails),
        "box_prior": weights.box_prior * prior,
        "mask_start": weights.mask_start * coin_cost(mask, silhouette_guess(target, plate_crops)),
    }
    return terms, image.detach()


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB per sample, for a peak of 1. [B, 3, s, s] twice → [B]."""
    return -10 * torch.log10((image.clamp(0, 1) - target).square().flatten(1).mean(1))
