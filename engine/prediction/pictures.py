"""One image file as a frame that a network takes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm"})


def read_picture(path: Path, size: int) -> NDArray[np.uint8]:
    """The image as RGB uint8 [size, size, 3], upright as its EXIF tag says.

    Raises whatever the decoder raises for a file that is not a whole image.
    """
    with Image.open(path) as image:
        # a JPEG decoded at a half, quarter or eighth costs that much less
        image.draft("RGB", (2 * size, 2 * size))
        return fit_square(ImageOps.exif_transpose(image).convert("RGB"), size)


def fit_square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Scale the longer side to `size`, centre, fill with black (the project's choice): [size, size, 3].

    Nothing of the picture is lost and people keep their proportions, which a pose depends on.
    """
    scale = size / max(image.size)
    width, height = (max(round(side * scale), 1) for side in image.size)
    fitted = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas = np.zeros((size, size, 3), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = np.asarray(fitted)
    return canvas
