"""What is said of a finished picture: whether the untouched target breaks on it, and how far it changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from dpa.engine.attack.calls import in_halves, judge_sizes, padded_calls
from dpa.engine.attack.objective import Generator, Target, eight_bit_frames, mpjpe
from dpa.engine.attack.state import Scene, Verdict


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
    """No autocast; on a GPU no TF32 and only deterministic convolutions, whatever was set before, which
    holds again afterwards. By PyTorch's newer flags alone, as a training sets them: it refuses a mixture."""
    products, library = torch.backends.cuda.matmul, torch.backends.cudnn
    convolutions = library.conv  # type: ignore[attr-defined]
    before = products.fp32_precision, convolutions.fp32_precision, library.benchmark, library.deterministic
    products.fp32_precision = convolutions.fp32_precision = "ieee"
    library.benchmark, library.deterministic = False, True
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        products.fp32_precision, convolutions.fp32_precision, library.benchmark, library.deterministic = (
            before
        )


Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Similarity:
    """Measures of two images scaled to [0, 1]. ssim: scikit-image's, 7×7 uniform window, mean over the
    channels. psnr_db: infinite for equal images. mse: mean over pixels and channels."""

    ssim: float
    psnr_db: float
    mse: float


def compare_pictures(before: Picture, after: Picture) -> Similarity:
    """An adversarial image with the one synthesised before the attack. uint8 [h, w, 3] twice, h, w ≥ 7."""
    one, other = before / 255, after / 255
    mse = float(mean_squared_error(one, other))
    # scikit-image has no annotations
    ssim = float(structural_similarity(one, other, channel_axis=-1, data_range=1))  # type: ignore[no-untyped-call]
    psnr = float(peak_signal_noise_ratio(one, other, data_range=1)) if mse else np.inf  # type: ignore[no-untyped-call]
    return Similarity(ssim=ssim, psnr_db=psnr, mse=mse)


def inside_box(picture: Picture, box: NDArray[np.floating]) -> Picture:
    """The pixels of a picture [H, W, 3] that a box θ covers, at least 7 each way, within the picture."""
    edges = []
    for scale, centre, length in zip(box[:2], box[2:], picture.shape[1::-1], strict=True):
        middle, half = (float(centre) + 1) / 2 * length, max(float(scale) * length / 2, 3.5)
        start = int(np.clip(round(middle - half), 0, length - 7))
        edges.append(slice(start, int(np.clip(round(middle + half), start + 7, length))))
    return picture[edges[1], edges[0]]
