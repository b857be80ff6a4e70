"""The parts of a training, one after the other: the localiser's start, joint training, refinement. Each says
who learns, how fast, and from which loss terms.

In the refinement the decoder alone learns to paint people whom the network itself reads as it read the
original. NSD's decoder is held to sharpness by features of an ImageNet network, which cannot be had here. And
what an attack starts from is more than the decoded crop: it is put into the frame, localised and cropped
again. So the frozen localiser and encoder look at the synthesised frame as a target network would (the
project's choice), and a patch discriminator may judge it. Poses and true boxes play no part.
"""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from dpa.kernels import composite_crop
from dpa.kernels.reference import crop, whole_frame
from dpa.models import distributed
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import FrameBatch, Objective, Outcome
from dpa.models.frameworks.reconstruction import background_boxes
from dpa.models.networks.discriminators import PatchDiscriminator
from dpa.models.training.config import RefinementConfig, TrainConfig


class Phase(Protocol):
    """One part of a training. `begin` and `end` are places in its plan, which counts steps."""

    begin: int
    end: int

    def enter(self, network: DisentangledNetwork) -> None:
        """Decides which parts learn."""

    def rates(self, place: int) -> tuple[float, float]:
        """Learning rates at a place of the plan: the localiser's last."""

    def forward(self, network: DisentangledNetwork, batch: FrameBatch, place: int) -> Outcome:
        """The loss terms on one batch."""

    def rival_before(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """The loss of a rival network that takes its step before the network, or None."""

    def rival_after(self, outcome: Outcome, batch: FrameBatch) -> Tensor | None:
        """The loss of a rival network that takes its step after the network, or None."""


def cosine(step: int, steps: int) -> float:
    """From 1 at step 0 to 0.01 at `steps`."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * step / max(1, steps))) / 2


def joint_rate(place: int, begin: int, config: TrainConfig) -> float:
    """Linear warm-up where a phase begins; a cosine to 1 % over all steps before the refinement (the
    project's choice)."""
    if place - begin < config.warm_up:
        return config.learning_rate * (place - begin + 1) / config.warm_up
    return config.learning_rate * cosine(place - config.warm_up, config.steps - config.warm_up)


class LocaliserStart:
    """S alone follows background subtraction: codes cannot settle on crops that still wander."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.begin, self.end = 0, min(config.localiser_start, config.steps)

    def enter(self, network: DisentangledNetwork) -> None:
        """Everything is in training mode; only S gets a gradient."""
        network.train()

    def rates(self, place: int) -> tuple[float, float]:
        """S at the full rate."""
        rate = joint_rate(place, 0, self.config)
        return rate, rate

    def forward(self, network: DisentangledNetwork, batch: FrameBatch, place: int) -> Outcome:
        """The distance of S's boxes from those of background subtraction, where it found anybody."""
        size = network.localiser_size
        target, found = background_boxes(batch.frames, batch.plates, batch.plate_index, size)
        box = network.localise(batch.frames)
        apart = F.smooth_l1_loss(box, target, beta=0.05, reduction="none") * found[:, None]
        loss = apart.sum() / (4 * found.sum().clamp(min=1)) * distributed.weight_of(found.sum())
        crops = network.crop(batch.frames, box.detach())
        blank = torch.zeros_like(crops[:, :1])
        return Outcome({"localiser_start": loss}, crops, crops, box.detach(), crops, blank)

    def rival_before(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """No rival yet."""
        return None

    def rival_after(self, outcome: Outcome, batch: FrameBatch) -> Tensor | None:
        """No rival yet."""
        return None


class Joint:
    """All parts learn from the framework's objective; background subtraction lets go of the mask."""

    def __init__(self, config: TrainConfig, objective: Objective) -> None:
        self.config, self.objective = config, objective
        self.begin, self.end = min(config.localiser_start, config.steps), config.steps

    def enter(self, network: DisentangledNetwork) -> None:
        """All parts learn."""
        network.train()

    def rates(self, place: int) -> tuple[float, float]:
        """S slower than the others."""
        rate = joint_rate(place, self.config.localiser_start, self.config)
        return rate, rate * self.config.localiser_rate

    def forward(self, network: DisentangledNetwork, batch: FrameBatch, place: int) -> Outcome:
        """The objective's terms."""
        outcome = self.objective.forward(network, batch)
        _let_go_of_the_mask(outcome, place, self.config)
        return outcome

    def rival_before(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """The objective's own rival, as DRNet's discriminator."""
        return self.objective.auxiliary_loss(network, batch)

    def rival_after(self, outcome: Outcome, batch: FrameBatch) -> Tensor | None:
        """None."""
        return None


class Refinement:
    """The decoder alone learns, from the objective's terms and from what the frozen network and, where one
    takes part, a patch discriminator see in its pictures."""

    def __init__(self, config: TrainConfig, objective: Objective, judge: PatchDiscriminator | None) -> None:
        self.config, self.objective, self.judge = config, objective, judge
        self.begin, self.end = config.steps, config.total_steps

    def enter(self, network: DisentangledNetwork) -> None:
        """Localiser and encoder frozen, in eval mode: batch statistics must not move either."""
        only_the_decoder_learns(network)

    def rates(self, place: int) -> tuple[float, float]:
        """A warm-up and a cosine of its own."""
        config, since = self.config, place - self.begin
        share = (
            (since + 1) / config.warm_up
            if since < config.warm_up
            else cosine(since - config.warm_up, config.refinement.steps - config.warm_up)
        )
        rate = config.learning_rate * config.refinement.rate * share
        return rate, rate * config.localiser_rate

    def forward(self, network: DisentangledNetwork, batch: FrameBatch, place: int) -> Outcome:
        """The objective's terms, the second look's and the judge's."""
        outcome = self.objective.forward(network, batch)
        outcome.terms.update(second_look(network, batch, outcome, self.config.refinement))
        if self.judge is not None:
            outcome.terms.update(judged(self.judge, batch, outcome, self.config.refinement))
        _let_go_of_the_mask(outcome, place, self.config)
        return outcome

    def rival_before(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """None: the objective's own rival rests."""
        return None

    def rival_after(self, outcome: Outcome, batch: FrameBatch) -> Tensor | None:
        """The judge's own loss: squared errors of its verdicts (Mao et al., 2017)."""
        if self.judge is None:
            return None
        plates = crop(batch.plates[batch.plate_index], outcome.box, outcome.target.shape[-1])
        original = self.judge(outcome.target, plates)[1].float()
        painted = self.judge(outcome.reconstruction, plates)[1].float()
        loss: Tensor = ((original - 1).square().mean() + painted.square().mean()) / 2
        return loss


class Plan:
    """A training's phases in order."""

    def __init__(self, config: TrainConfig, objective: Objective, judge: PatchDiscriminator | None) -> None:
        phases = (LocaliserStart(config), Joint(config, objective), Refinement(config, objective, judge))
        self.phases: list[Phase] = [phase for phase in phases if phase.end > phase.begin]

    def at(self, place: int) -> Phase:
        """The phase to which a place belongs; beyond the end, the last one."""
        return next((phase for phase in self.phases if place < phase.end), self.phases[-1])


def only_the_decoder_learns(network: DisentangledNetwork) -> None:
    """Localiser and encoder frozen, in eval mode."""
    network.requires_grad_(False).eval()
    network.decoder.requires_grad_(True).train()


def second_look(
    network: DisentangledNetwork, batch: FrameBatch, outcome: Outcome, weights: RefinementConfig
) -> dict[str, Tensor]:
    """Loss terms: how far pose code, box and, where they weigh anything, the encoder's maps in the
    synthesised frames lie from those in the originals.

    The pose code is read at the original's box, since no colour can make up for a crop that moved; that it
    does not move is the other term's business.
    """
    rgb, mask, box = outcome.rgb.float(), outcome.mask.float(), outcome.box
    whole = whole_frame(batch.frames)

    def seen(at: Tensor, size: int) -> Tensor:
        return composite_crop(rgb, mask, box, batch.plates, batch.plate_index, at, size)

    terms: dict[str, Tensor] = {}
    if weights.features:
        with torch.no_grad():
            maps, _, read = network.encoder.read(outcome.target)
        maps_again, _, again = network.encoder.read(seen(box, network.crop_size))
        terms["features"] = weights.features * relative_distance(maps_again, maps)
    else:
        with torch.no_grad():
            read = network.encode(outcome.target)[1]
        again = network.encode(seen(box, network.crop_size))[1]
    read, again = read.float(), again.float()
    placed = network.localise_thumbnails(seen(whole, network.localiser_size)).float()
    spread = distributed.gathered(read).var(dim=0).mean() + 1e-6
    terms["second_code"] = weights.code * (again - read).square().mean() / spread
    terms["second_box"] = weights.box * ((placed - box) / box[:, :2].repeat(1, 2)).square().mean()
    return terms


def relative_distance(maps: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Mean absolute difference of feature maps, each relative to the mean magnitude of the wanted one; the
    mean over maps. Knows no unit, so that layers weigh alike."""
    parts = [
        (one.float() - other.float()).abs().mean() / (other.float().abs().mean() + 1e-6)
        for one, other in zip(maps, (one.detach() for one in wanted), strict=True)
    ]
    return torch.stack(parts).mean()


def judged(
    judge: PatchDiscriminator, batch: FrameBatch, outcome: Outcome, weights: RefinementConfig
) -> dict[str, Tensor]:
    """Loss terms: how far the judge's maps of the painted crops lie from those of the originals (Wang et al.,
    2018), and how far it is from taking them for originals. The judge itself learns nothing from them."""
    plates = crop(batch.plates[batch.plate_index], outcome.box, outcome.target.shape[-1])
    painted = plates + outcome.mask.float() * (outcome.rgb.float() - plates)
    judge.requires_grad_(False)
    with torch.no_grad():
        wanted, _ = judge(outcome.target, plates)
    maps, verdict = judge(painted, plates)
    judge.requires_grad_(True)
    return {
        "matching": weights.matching * relative_distance(maps, wanted),
        "adversarial_patches": weights.adversarial * (verdict.float() - 1).square().mean(),
    }


def _let_go_of_the_mask(outcome: Outcome, place: int, config: TrainConfig) -> None:
    if "mask_start" in outcome.terms:
        held = 1 - (place - config.localiser_start) / max(1, config.mask_start)
        outcome.terms["mask_start"] = outcome.terms["mask_start"] * max(0.0, held)
