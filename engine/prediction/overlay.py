"""Overlay pictures of `predict`: each frame with its box and its skeleton, for looking at."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dpa.engine.drawing.skeleton import COLOURS, LEFT, PARENTS, RIGHT
from dpa.engine.prediction.sources import DRAWN
from dpa.engine.prediction.stream import Batch, Write
from dpa.models.artefacts import claim
from dpa.models.errors import InputError

SIDE: Final = 480
"""Smaller frames are enlarged by a whole factor until their longer side has about this many pixels."""

FILL: Final = 1 / 1.15
"""How much of the box the skeleton's longer side fills: training boxes have a margin of 1.15."""

BOX_COLOUR: Final = "#38d9a9"
OUTLINE: Final = "white"


class OverlayInTheWay(InputError):
    """The folder for overlay pictures is not empty, or is no folder."""


def overlay_writer(folder: Path) -> Write:
    """A function that draws every frame of a batch into `folder`, as 000000_NAME.png, numbered in the
    order of the stream. Raises OverlayInTheWay."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OverlayInTheWay(
            f"{folder} holds something already", "a new or an empty folder", "name another with --overlay"
        )
    claim(folder, DRAWN)
    drawn = 0

    def write(batch: Batch) -> None:
        nonlocal drawn
        for source, pixels, pose, box in zip(batch.sources, batch.pixels, batch.pose, batch.box, strict=True):
            path = folder / f"{drawn:06d}_{Path(source).stem[:80]}.png"
            draw_overlay(pixels, pose, box).save(path, compress_level=1)
            drawn += 1

    return write


def both(first: Write, second: Write) -> Callable[[Batch], None]:
    """A function that gives a batch to one writer and then to the other."""

    def write(batch: Batch) -> None:
        first(batch)
        second(batch)

    return write


def draw_overlay(
    pixels: NDArray[np.uint8], pose: NDArray[np.float32], box: NDArray[np.float32]
) -> Image.Image:
    """pixels: uint8 [H, W, 3]; pose: [17, 3] mm; box: θ [4] → the frame, enlarged, with both drawn on it."""
    height, width = pixels.shape[:2]
    factor = max(round(SIDE / max(height, width)), 1)
    image = Image.fromarray(pixels).resize((factor * width, factor * height), Image.Resampling.BILINEAR)
    size = np.array(image.size, dtype=np.float64)
    pen = ImageDraw.Draw(image)
    if not (np.isfinite(pose).all() and np.isfinite(box).all()):
        pen.text((4, 4), "not a number", fill=OUTLINE)
        return image
    corners = corners_px(box, size)
    pen.rectangle([tuple(corner) for corner in corners.tolist()], outline=BOX_COLOUR, width=2)
    flat = place_skeleton(pose, corners)
    line = max(image.width // 160, 2)
    bones = [(joint, parent) for joint, parent in enumerate(PARENTS) if parent >= 0]
    # the bone that is further away is drawn first, so that nearer ones cover it
    for joint, parent in sorted(bones, key=lambda bone: -float(pose[list(bone), 2].sum())):
        side = "left" if joint in LEFT else "right" if joint in RIGHT else "middle"
        ends = [tuple(flat[parent].tolist()), tuple(flat[joint].tolist())]
        pen.line(ends, fill=OUTLINE, width=line + 2)
        pen.line(ends, fill=COLOURS[side], width=line)
    return image


def corners_px(box: NDArray[np.float32], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """θ (sx, sy, tx, ty) → [2, 2] pixels of a picture of `size` (width, height): its least and its
    greatest corner, from pixel edges, within 2 pictures of the middle."""
    scale, shift = np.abs(box[:2].astype(np.float64)), box[2:].astype(np.float64)
    ends = np.clip(np.stack([shift - scale, shift + scale]), -4, 4)
    return (ends + 1) / 2 * size


def place_skeleton(pose: NDArray[np.float32], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """[17, 3] mm → [17, 2] pixels, seen along the camera's axis without perspective.

    A root-relative pose has no place and no size in the picture: it is centred on the box, and its
    longer side fills FILL of the box (the project's choice).
    """
    flat = pose[:, :2].astype(np.float64)
    low, high = flat.min(axis=0), flat.max(axis=0)
    extent = (high - low).max()
    scale = FILL * (corners[1] - corners[0]).max() / extent if extent > 0 else 0.0
    centred: NDArray[np.float64] = (flat - (low + high) / 2) * scale + corners.mean(axis=0)
    return centred
