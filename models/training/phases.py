"""The last phase of a training: the decoder alone learns to paint people whom the network itself reads as it
read the original.

NSD's decoder is held to sharpness by features of an ImageNet network, which cannot be had here. And what an
attack starts from is more than the decoded crop: it is put into the frame, localised and cropped again. So
the frozen localiser and encoder look at the synthesised frame as a target network would (the project's
choice). Poses and true boxes play no part."""

import math

import torch
from torch import Tensor

from dpa.kernels import composite_crop
from dpa.kernels.reference import whole_frame
from dpa.models import distributed
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Outcome
from dpa.models.training.config import RefinementConfig, TrainConfig


def only_the_decoder_learns(network: DisentangledNetwork) -> None:
    """Localiser and encoder frozen, in eval mode: batch statistics must not move either."""
    network.requires_grad_(False).eval()
    network.decoder.requires_grad_(True).train()


def second_look(
    network: DisentangledNetwork, batch: FrameBatch, outcome: Outcome, weights: RefinementConfig
) -> dict[str, Tensor]:
    """Loss terms: how far pose code and box in the synthesised frames lie from those in the originals.

    The pose code is read at the original's box, since no colour can make up for a crop that moved; that it
    does not move is the other term's business.
    """
    rgb, mask, box = outcome.rgb.float(), outcome.mask.float(), outcome.box
    whole = whole_frame(batch.frames)

    def seen(at: Tensor, size: int) -> Tensor:
        return composite_crop(rgb, mask, box, batch.plates, batch.plate_index, at, size)

    with torch.no_grad():
        read = network.encode(outcome.target)[1].float()
    again = network.encode(seen(box, network.crop_size))[1].float()
    placed = network.localise_thumbnails(seen(whole, network.localiser_size)).float()
    spread = distributed.gathered(read).var(dim=0).mean() + 1e-6
    return {
        "second_code": weights.code * (again - read).square().mean() / spread,
        "second_box": weights.box * ((placed - box) / box[:, :2].repeat(1, 2)).square().mean(),
    }


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, again where joint training and refinement begin; a cosine to 1 % over `steps`, another
    over the refinement's (the project's choice)."""
    if step >= config.steps:
        peak = config.learning_rate * config.refinement.rate
        return peak * _warm_cosine(step - config.steps, config.warm_up, config.refinement.steps)
    since = step - config.localiser_start if step >= config.localiser_start else step
    if since < config.warm_up:
        return config.learning_rate * (since + 1) / config.warm_up
    return config.learning_rate * cosine(step - config.warm_up, config.steps - config.warm_up)


def _warm_cosine(step: int, warm_up: int, steps: int) -> float:
    return (step + 1) / warm_up if step < warm_up else cosine(step - warm_up, steps - warm_up)


def cosine(step: int, steps: int) -> float:
    """From 1 at step 0 to 0.01 at `steps`."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * step / max(1, steps))) / 2
