"""A picture file of any kind as eight-bit RGB, as a viewer shows it: upright, 16 bits and floats scaled by
their range, and what is transparent over black (the project's choice, as the rest of a fitted frame)."""

import numpy as np
from PIL import Image, ImageOps

BEHIND = (0, 0, 0)
"""What stands behind transparent pixels; a hidden colour must not change a pose."""

DEEP = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
"""Pillow's modes of one channel deeper than eight bits; it cuts them off at 255 by itself."""


def as_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB. Raises ValueError for one that holds numbers that are not finite, and what the
    decoder raises."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in DEEP:
        return _from_deep(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        shown = image.convert("RGBA")
        behind = Image.new("RGBA", shown.size, (*BEHIND, 255))
        return Image.alpha_composite(behind, shown).convert("RGB")
    return image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """`as_rgb`, turned as the EXIF tag says."""
    return as_rgb(ImageOps.exif_transpose(image))


def _from_deep(image: Image.Image) -> Image.Image:
    """One channel of 16 or 32 bits or of floats: whole numbers of 16 bits are scaled by 65535, larger ones by
    2³¹ - 1, floats by 1, 255 or 65535, the least that holds them all."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("pixels that are not finite numbers")
    top = float(values.max(initial=0))
    scales = (1.0, 255.0, 65535.0, float(2**31 - 1)) if image.mode == "F" else (65535.0, float(2**31 - 1))
    scale = next((one for one in scales if top <= one), top)
    grey = (np.clip(values / scale, 0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
