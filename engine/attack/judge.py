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
        return self.look(self.paint(h_a, scene), scene.reference)

    def look(self, frames: Tensor, reference: Tensor) -> Verdict:
        """The verdict on frames as `paint` or `compose` made them. reference: [n, J, 3] mm, q."""

        def verdict(some: Tensor) -> Verdict:
            with torch.no_grad(), full_precision(frames.device):
                pose = self.target.predict(frames[some].to(reference.dtype) / 255)
            return Verdict(mpjpe(pose, reference[some]), pose, frames[some])

        parts: list[Verdict] = []
        for rows, taken in padded_calls(len(frames), judge_sizes(frames.device), frames.device):
            parts.append(Verdict.cat(in_halves(verdict, rows)).head(taken))
        return Verdict.cat(parts)

    def paint(self, h_a: Tensor, scene: Scene) -> Tensor:
        """The frame with appearance h_a [n, A] as it is stored: uint8 [n, 3, H, W]."""

        def painted(some: Tensor) -> Tensor:
            part = scene.take(some)
            with torch.no_grad(), full_precision(h_a.device):
                rgb = self.generator.decode(h_a[some], part.pose_code)[0]
            return self.compose(rgb, part)

        parts: list[Tensor] = []
        for rows, taken in padded_calls(len(h_a), judge_sizes(h_a.device), h_a.device):
            parts.append(torch.cat(in_halves(painted, rows))[:taken])
        return torch.cat(parts)

    def compose(self, rgb: Tensor, scene: Scene) -> Tensor:
        """The frame with decoded colours rgb [n, 3, s, s] as it is stored: uint8 [n, 3, H, W]."""
        with torch.no_grad(), full_precision(rgb.device):
            return eight_bit_frames(rgb.clamp(0, 1), scene, self.plates)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No autocast; on a GPU no TF32 and only deterministic convolutions."""
    with (
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield
