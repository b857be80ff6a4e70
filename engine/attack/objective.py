"""What Algorithm 1 ascends: how far the target's pose moves when only the appearance code changes."""

import logging
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from dpa.engine.attack.state import Scene
from dpa.kernels import composite, composite_crop
from dpa.kernels.reference import whole_frame
from dpa.models.frameworks.program import ProgramNetwork


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


def thumbnails(rgb: Tensor, scene: Scene, plates: Tensor, size: int) -> Tensor:
    """The adversarial frame at localiser size. rgb [B, 3, s, s], plates [P, 3, H, W] → [B, 3, size, size]."""
    return crops(rgb, scene, plates, whole_frame(rgb), size)


def crops(rgb: Tensor, scene: Scene, plates: Tensor, box: Tensor, size: int) -> Tensor:
    """The adversarial frame inside a box [B, 4]. Returns [B, 3, size, size]."""
    return composite_crop(rgb, scene.mask, scene.box, plates, scene.plate_index, box, size)


def eight_bit_frames(rgb: Tensor, scene: Scene, plates: Tensor) -> Tensor:
    """The full-resolution frame as it is stored. Returns uint8 [B, 3, H, W]."""
    frames = composite(rgb, scene.mask, scene.box, plates, scene.plate_index)
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8)


def mpjpe(pose: Tensor, reference: Tensor) -> Tensor:
    """Mean per-joint position error per sample: mean L2 distance over the joints, root-relative, no
    alignment (docs/paper.md). [B, J, 3] mm twice → [B] mm. Its gradient at distance 0 is 0."""
    distance: Tensor = torch.linalg.vector_norm(pose - reference, dim=-1)
    return distance.mean(dim=-1)


@dataclass(frozen=True)
class Objective:
    """MPJPE(q, φ(E(S(composite(G_d(h_a, h_p⁰), M⁰, B))))) per sample (paper, Algorithm 1).

    S is applied to the adversarial frame again and the gradient flows through its box, unless
    `freeze_box`. Pose code, mask and the generator's box stay as `scene` has them.
    plates: [P, 3, H, W] in [0, 1]; clamp: limit the decoded colours to [0, 1].
    """

    generator: Generator
    target: Target
    plates: Tensor
    freeze_box: bool
    clamp: bool

    def __call__(self, h_a: Tensor, scene: Scene) -> tuple[Tensor, Tensor]:
        """h_a [B, A] → error [B] mm, pose [B, J, 3] mm, both differentiable in h_a."""
        rgb = self.colours(h_a, scene)
        rgb = rgb.clamp(0, 1) if self.clamp else rgb
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_box):
            small = thumbnails(rgb, scene, self.plates, self.target.localiser_size)
            box = self.target.localise_thumbnails(small)
        seen = crops(rgb, scene, self.plates, box, self.target.crop_size)
        pose = self.target.regress(self.target.encode(seen)[1])
        return mpjpe(pose, scene.reference), pose

    def colours(self, h_a: Tensor, scene: Scene) -> Tensor:
        """The decoded person without its mask: rgb [B, 3, s, s], not clamped."""
        return self.generator.decode(h_a, scene.pose_code)[0]


log = logging.getLogger(__name__)


def climbed_target(generator: Generator, target: Target) -> Target:
    """Whose pose error the steps ascend: the target's own, or, where the target is a compiled program, that
    of the generator's network, against the program's own prediction q (the project's choice). The judge asks
    the program itself whenever the surrogate's error passes the threshold, so success is the program's.

    generator: must be able to predict poses as well; every network that `load_network` returns can, once
    its regressor is fitted.
    """
    if not isinstance(target, ProgramNetwork):
        return target
    log.warning(
        "steps climb the generator's own pose error: %s gives no gradient, and only judges", target.name
    )
    return cast(Target, generator)
