"""The witness: a pose network that no attack is made on, and that can say what it does not see.

It tells whether a picture still shows its pose. It learns from labels, on people whose clothes, skin and
light are new in every frame, under changes of colour and sharpness that no wardrobe has, so that colours tell
it nothing. Half of the people it learns from have lost an arm or a leg: of such a limb it says that it is not
to be seen, in place of guessing the usual. It has no appearance code and paints nothing.
"""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.kernels.reference import crop
from dpa.models import distributed
from dpa.models.config import Config
from dpa.models.data.augmentation import Augmentation
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.limbs import LIMBS, SHARPNESS, hide_limbs, in_crop, joints_in_frame, softened
from dpa.models.frameworks.objective import AnyFrames, FrameBatch, LabelledBatch, Outcome, Sampler
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.encoder import Localiser, Trunk

UNSEEN_MM = (0.0, 0.0, 2000.0)
"""Where the witness reads the joints of a limb that it does not see: two metres behind the hip, where
nobody's are. A limb lost moves the mean over 17 joints by about 240 mm, one that was not seen before by 0."""
SPREAD_MM = 300.0
"""The unit of the pose's read-out: about the spread of joints around the hip."""


class PaintsNothing(InputError):
    """A network that only reads poses was asked for a picture."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} reads poses and has no decoder: it can paint no picture",
            "a network with codes for pose and appearance",
            "use it as --witness or to predict, and zoo:nsd or another as generator",
        )


class Reader(nn.Module):
    """Crop → 17 joints and, for each limb, the logit of its being seen."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config.encoder)
        side = config.crop_size // self.trunk.reduction
        width = config.regressor_hidden
        self.head = nn.Sequential(
            nn.Linear(self.trunk.channels * side * side, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(config.regressor_dropout),
            nn.Linear(width, 3 * config.joints + len(LIMBS)),
        )

    def features(self, crops: Tensor) -> Tensor:
        """[B, 3, s, s] in [0, 1] → [B, F], what the trunk sees."""
        seen: Tensor = self.trunk(crops - 0.5).flatten(1)
        return seen

    def read(self, crops: Tensor) -> Tensor:
        """[B, 3, s, s] in [0, 1] → [B, 51 + 4]."""
        read: Tensor = self.head(self.features(crops))
        return read


class WitnessNetwork(DisentangledNetwork):
    """Localiser and reader behind the interface of all networks: its pose code is what the reader says, its
    appearance code is empty, and `decode` raises PaintsNothing."""

    def __init__(self, config: NetworkConfig, framework: str) -> None:
        nn.Module.__init__(self)  # it has no encoder of two codes and no decoder
        self.config = config.model_copy(
            update={"appearance_dim": 0, "pose_dim": 3 * config.joints + len(LIMBS)}
        )
        self.framework = framework
        self.source: Path | None = None
        self.regressor = None
        self.localiser = Localiser(config)
        self.encoder = Reader(config)  # type: ignore[assignment]  # another call, the same trunk

    @property
    def can_regress(self) -> bool:
        """Always: poses are what it learned."""
        return True

    @property
    def can_paint(self) -> bool:
        """Never."""
        return False

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, s, s] in [0, 1] → no appearance code [B, 0], what it reads [B, 55]."""
        read: Tensor = cast(Reader, self.encoder).read(crops).to(crops.dtype)
        return crops.new_empty(len(crops), 0), read

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        """Raises PaintsNothing."""
        raise PaintsNothing(self.framework)

    def joints(self, read: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 55] → pose [B, 17, 3] mm, root-relative, of every limb its best guess; logits [B, 4] of the
        limbs being seen."""
        pose = SPREAD_MM * read[:, : -len(LIMBS)].reshape(len(read), -1, 3)
        return pose - pose[:, :1], read[:, -len(LIMBS) :]

    def regress(self, h_p: Tensor) -> Tensor:
        """[B, 55] → pose [B, 17, 3] mm, root-relative; limbs that it does not see are at UNSEEN_MM."""
        pose, seen = self.joints(h_p)
        nowhere = pose.new_tensor(UNSEEN_MM)
        hidden = torch.zeros(pose.shape[:2], dtype=torch.bool, device=pose.device)
        for limb, (_, *outer) in enumerate(LIMBS.values()):
            hidden[:, outer] = (seen[:, limb] < 0)[:, None]
        return torch.where(hidden[..., None], nowhere, pose)


class WitnessWeights(Config):
    """pose: of the MPJPE over seen limbs in units of 100 mm; box: of the localiser's error; seen: of the
    cross-entropy of the limbs' being seen. hidden: share of the samples that lose a limb; jitter: spread of
    the crops around the true box, as a share of it. All the project's choice."""

    pose: float = 1.0
    box: float = 1.0
    seen: float = 0.5
    hidden: float = 0.5
    jitter: float = 0.06


class Witness:
    """Any frames, with their labels. The reader sees crops near the true box, the localiser the whole frame;
    no gradient passes from one to the other."""

    name = "witness"
    extra: nn.Module | None = None

    def __init__(self, weights: WitnessWeights | None = None, augment: Augmentation | None = None) -> None:
        self.weights = weights or WitnessWeights()
        self.augment = augment

    def sampler(self, store: PackedStore, rows: NDArray[np.int64]) -> Sampler:
        """Any frames."""
        return AnyFrames(rows)

    def forward(self, network: DisentangledNetwork, batch: FrameBatch) -> Outcome:
        """MPJPE, box and the limbs' being seen."""
        assert isinstance(network, WitnessNetwork) and isinstance(batch, LabelledBatch)
        weights = self.weights
        view = nearer_views(batch.true_box)
        thumbnails = crop(batch.frames, view, network.localiser_size)
        found = network.localise_thumbnails(self._recoloured(thumbnails)).float()
        there = torch.cat([batch.true_box[:, :2], batch.true_box[:, 2:] - view[:, 2:]], dim=1) / view[:, :1]
        inputs, hidden = self.changed(network, batch)
        terms = self.reading(network, network.encode(inputs)[1].float(), batch.pose, hidden)
        terms["box"] = weights.box * F.smooth_l1_loss(found, there, beta=0.05)
        blank = torch.zeros_like(inputs[:, :1])
        return Outcome(terms, inputs.detach(), inputs.detach(), found.detach(), inputs, blank)

    def changed(self, network: DisentangledNetwork, batch: LabelledBatch) -> tuple[Tensor, Tensor]:
        """Crops near the true boxes, [B, 3, s, s], some with a limb lost, less sharp, in other colours; and
        which limbs are lost, [B, 4] bool."""
        crops, hidden = self._without_limbs(network, batch, self._jittered(batch.true_box))
        level = (_draw(crops) * len(SHARPNESS)).long()
        return self._recoloured(softened(crops, level)), hidden

    def reading(
        self, network: WitnessNetwork, read: Tensor, pose: Tensor, hidden: Tensor
    ) -> dict[str, Tensor]:
        """The loss terms of what was read, [B, 55]: MPJPE of the joints that can be seen, and cross-entropy
        of the limbs' being seen."""
        found, seen = network.joints(read)
        counts = _joints_seen(hidden)
        error = ((found - pose).norm(dim=-1) * counts).sum() / counts.sum()
        unseen = F.binary_cross_entropy_with_logits(seen, (~hidden).float())
        return {"pose": self.weights.pose * error / 100, "seen": self.weights.seen * unseen}

    def auxiliary_loss(self, network: DisentangledNetwork, batch: FrameBatch) -> Tensor | None:
        """No network of its own."""
        return None

    def _jittered(self, box: Tensor) -> Tensor:
        """Boxes near the true ones, as a localiser finds them. [B, 4] → [B, 4]."""
        size = distributed.count() * len(box)
        scale, shift = (
            distributed.part(torch.randn(size, 2, device=box.device)) * self.weights.jitter for _ in range(2)
        )
        side = box[:, :2] * scale[:, :1].exp()
        return torch.cat([side, box[:, 2:] + shift * box[:, :2]], dim=1)

    def _without_limbs(
        self, network: DisentangledNetwork, batch: LabelledBatch, box: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Crops [B, 3, s, s], some with a limb hidden, and which limbs, [B, 4] bool."""
        crops = network.crop(batch.frames, box)
        losing = torch.nonzero(_draw(crops) < self.weights.hidden)[:, 0]
        limb = (_draw(crops) * len(LIMBS)).long().clamp(max=len(LIMBS) - 1)[losing]
        melted = (_draw(crops) < 0.5)[losing]
        hidden = torch.zeros(len(crops), len(LIMBS), dtype=torch.bool, device=crops.device)
        hidden[losing, limb] = True
        plates = crop(batch.plates[batch.plate_index[losing]], box[losing], network.crop_size)
        points, unit = joints_in_frame(batch.pose[losing], batch.true_box[losing])
        points, unit = in_crop(points, box[losing]), unit / box[losing, 0]
        made = crops.clone()
        made[losing] = hide_limbs(crops[losing], plates, points, unit, limb, melted)
        return made, hidden

    def _recoloured(self, images: Tensor) -> Tensor:
        """Augmented; before it half of them with their channels mixed anew: each new channel is a weighted
        mean of the old ones, or its negative."""
        draws = torch.rand(distributed.count() * len(images), 3, 4, device=images.device)
        draws = distributed.part(draws)
        mixing = draws[..., :3].square() / draws[..., :3].square().sum(2, keepdim=True)
        flipped = draws[..., 3, None, None] < 0.15
        mixed = torch.einsum("bij,bjhw->bihw", mixing, images)
        mixed = torch.where(flipped, 1 - mixed, mixed)
        mixed = torch.where((_draw(images) < 0.5)[:, None, None, None], mixed, images)
        return mixed if self.augment is None else self.augment(mixed)


def nearer_views(boxes: Tensor) -> Tensor:
    """Square parts of the frame that hold the person, the whole frame down to about half of it: people stand
    nearer in other data. boxes: [B, 4], true ones. Returns [B, 4], drawn at random."""
    size = distributed.count() * len(boxes)
    draws = distributed.part(torch.rand(size, 3, device=boxes.device))
    needed = (1.1 * boxes[:, :2].amax(1) + 0.05).clamp(max=1)
    side = torch.maximum(0.5 + 0.5 * draws[:, 0], needed)
    inside, around = (1 - side)[:, None], (side - boxes[:, :2].amax(1)).clamp(min=0)[:, None]
    low = torch.maximum(-inside, boxes[:, 2:] - around)
    high = torch.minimum(inside, boxes[:, 2:] + around)
    middle = torch.lerp(low, torch.maximum(low, high), draws[:, 1:])
    return torch.cat([side[:, None], side[:, None], middle], dim=1)


def _draw(images: Tensor) -> Tensor:
    """[B] in [0, 1)."""
    return distributed.part(torch.rand(distributed.count() * len(images), device=images.device))


def _joints_seen(hidden: Tensor) -> Tensor:
    """[B, 4] bool → [B, 17], 1 for the joints that are not those of a hidden limb."""
    counts = torch.ones(len(hidden), 17, device=hidden.device)
    for limb, (_, *outer) in enumerate(LIMBS.values()):
        counts[:, outer] = (~hidden[:, limb, None]).float()
    return counts
