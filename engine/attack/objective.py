"""What Algorithm 1 ascends: how far the target's pose moves when only the appearance code changes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.composition import crops, thumbnails
from dpa.engine.attack.roles import Generator, Target
from dpa.engine.attack.scene import Scene


def mpjpe(pose: Tensor, reference: Tensor) -> Tensor:
    """Mean per-joint position error per sample: mean L2 distance over the joints, root-relative, no
    alignment (FACTS, pose metrics). [B, J, 3] mm twice → [B] mm. Its gradient at distance 0 is 0."""
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
