"""Who decides: an fp32 forward pass of the untouched target on the very frame that is handed out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.buckets import judge_sizes, padded_calls
from dpa.engine.attack.composition import eight_bit_frames
from dpa.engine.attack.memory import in_halves
from dpa.engine.attack.objective import mpjpe
from dpa.engine.attack.roles import Generator, Target
from dpa.engine.attack.rows import Rows
from dpa.engine.attack.scene import Scene


@dataclass(frozen=True)
class Verdict(Rows):
    """error: [n] mm against q. pose: [n, J, 3] mm. frames: uint8 [n, 3, H, W], what was judged."""

    error: Tensor
    pose: Tensor
    frames: Tensor


@dataclass(frozen=True)
class Judge:
    """Composes at full resolution, rounds to 8 bits as the frame is stored, and asks the target.

    So a success can be confirmed from the stored frames alone. No autocast and no TF32 whatever the
    caller has set. plates: [P, 3, H, W] in [0, 1].
    """

    generator: Generator
    target: Target
    plates: Tensor

    def __call__(self, h_a: Tensor, scene: Scene) -> Verdict:
        """h_a [n, A], n ≥ 1, and its scene → the verdict on each sample."""
        parts: list[Verdict] = []
        for rows, taken in padded_calls(len(h_a), judge_sizes(h_a.device), h_a.device):
            verdicts = in_halves(lambda some: self._verdict(h_a[some], scene.take(some)), rows)
            parts.append(Verdict.cat(verdicts).head(taken))
        return Verdict.cat(parts)

    def _verdict(self, h_a: Tensor, scene: Scene) -> Verdict:
        frames = self._frames(h_a, scene)
        with torch.no_grad(), full_precision(h_a.device):
            pose = self.target.predict(frames.to(h_a.dtype) / 255)
        return Verdict(mpjpe(pose, scene.reference), pose, frames)

    def paint(self, h_a: Tensor, scene: Scene) -> Tensor:
        """The frame with appearance h_a [n, A] as it is stored: uint8 [n, 3, H, W]."""
        parts: list[Tensor] = []
        for rows, taken in padded_calls(len(h_a), judge_sizes(h_a.device), h_a.device):
            frames = in_halves(lambda some: self._frames(h_a[some], scene.take(some)), rows)
            parts.append(torch.cat(frames)[:taken])
        return torch.cat(parts)

    def _frames(self, h_a: Tensor, scene: Scene) -> Tensor:
        with torch.no_grad(), full_precision(h_a.device):
            rgb = self.generator.decode(h_a, scene.pose_code)[0]
            return eight_bit_frames(rgb.clamp(0, 1), scene, self.plates)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No autocast; on a GPU no TF32 and only deterministic convolutions."""
    with (
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield
