"""What is said of a finished picture: whether the untouched target breaks on it, and how far it changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.calls import in_halves, judge_sizes, padded_calls
from dpa.engine.attack.objective import Generator, Target, eight_bit_frames, mpjpe
from dpa.engine.attack.state import Rows, Scene, Verdict


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
            parts.append(Verdict.cat(in_halves(verdict, rows)).part(0, taken))
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


WINDOW = 7
"""Side of SSIM's uniform window, as scikit-image has it."""

VALUES_AT_ONCE = 1 << 22
"""Pixels times channels whose measures are computed together: bounds memory."""


@dataclass(frozen=True)
class Similarity(Rows):
    """How far pictures changed, by the three measures of the paper's Table 2; float64 [n] each, of images
    scaled to [0, 1]. ssim: scikit-image's, mean over windows and channels. psnr_db: infinite for equal
    images. mse: mean over pixels and channels. box_…: the same of the pixels that a box covers."""

    ssim: Tensor
    psnr_db: Tensor
    mse: Tensor
    box_ssim: Tensor
    box_psnr_db: Tensor
    box_mse: Tensor


def similarity(before: Tensor, after: Tensor, box: Tensor) -> Similarity:
    """Adversarial frames with those synthesised before the attack, on their device and without waiting for
    it. uint8 [n, 3, H, W] twice, n ≥ 1, H, W ≥ 7; box: θ [n, 4], of which at least 7 pixels each way count.

    Sums over windows are integers and exact; what is left in float32 puts SSIM within 1e-7 of scikit-image.
    """
    some = max(1, VALUES_AT_ONCE // before[0].numel())
    calls = (slice(start, start + some) for start in range(0, len(before), some))
    return Similarity.cat([_similarity(before[rows], after[rows], box[rows]) for rows in calls])


def _similarity(before: Tensor, after: Tensor, box: Tensor) -> Similarity:
    height, width = before.shape[-2:]
    box = box.double().nan_to_num()
    top, bottom = _edges(box[:, 1], box[:, 3], height)
    left, right = _edges(box[:, 0], box[:, 2], width)
    x, y = before.int(), after.int()
    squares = (x - y).square().sum(dim=1).double()
    pixels = _between(top, bottom, height)[:, :, None] & _between(left, right, width)[:, None]
    mse = squares.sum(dim=(1, 2)) / (3 * height * width * 255**2)
    box_mse = (squares * pixels).sum(dim=(1, 2)) / (3 * (bottom - top) * (right - left) * 255**2)
    ssim = _ssim(x, y).sum(dim=1)
    beyond = WINDOW - 1  # a box holds a window where it holds all of its pixels
    windows = _between(top, bottom - beyond, height - beyond)[:, :, None]
    windows = windows & _between(left, right - beyond, width - beyond)[:, None]
    count = (bottom - top - beyond) * (right - left - beyond)
    return Similarity(
        ssim=ssim.mean(dim=(1, 2), dtype=torch.float64) / 3,
        psnr_db=-10 * mse.log10(),
        mse=mse,
        box_ssim=(ssim * windows).sum(dim=(1, 2), dtype=torch.float64) / (3 * count),
        box_psnr_db=-10 * box_mse.log10(),
        box_mse=box_mse,
    )


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    """Wang et al. (2004) for every window, covariances unbiased. int32 [n, 3, H, W] twice, values up to 255 →
    float32 [n, 3, H - 6, W - 6]."""
    n = WINDOW**2
    sx, sy, sxy = _window_sums(x), _window_sums(y), _window_sums(x * y)
    means = sx.square() + sy.square()
    spread = n * _window_sums(x.square() + y.square()) - means
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    covariance = (n * sxy - sx * sy) * (2 / (n * (n - 1))) + c2
    made: Tensor = (sx * sy * (2 / n**2) + c1) * covariance
    return made / ((means / n**2 + c1) * (spread / (n * (n - 1)) + c2))


def _window_sums(x: Tensor) -> Tensor:
    """Of every 7×7 window, in four additions an axis."""
    for dim in (-1, -2):
        size = x.shape[dim] - WINDOW + 1
        two = x.narrow(dim, 0, size + 5) + x.narrow(dim, 1, size + 5)
        four = two.narrow(dim, 0, size) + two.narrow(dim, 2, size)
        x = four + two.narrow(dim, 4, size) + x.narrow(dim, 6, size)
    return x


def _edges(scale: Tensor, centre: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """First pixel, and the one after the last, that boxes [n] cover on an axis of `length` pixels."""
    middle, half = (centre + 1) / 2 * length, (scale * length / 2).clamp_min(WINDOW / 2)
    start = (middle - half).round().clamp(0, length - WINDOW)
    stop = torch.maximum((middle + half).round().clamp_max(length), start + WINDOW)
    return start.long(), stop.long()


def _between(start: Tensor, stop: Tensor, length: int) -> Tensor:
    """bool [n, length]: which pixels of an axis lie in [start, stop)."""
    place = torch.arange(length, device=start.device)
    return (place >= start[:, None]) & (place < stop[:, None])
