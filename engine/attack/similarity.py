"""How much the attack changed the picture, by the three measures of the paper's Table 2."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

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
