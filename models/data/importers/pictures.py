"""Reads the pictures of a view one by one. What cannot be read is told apart with its name and reason, never
raised: a data set of two million files has some bad ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpa.models.data.films import film_facts, film_frames
from dpa.models.data.photographs import as_rgb
from dpa.models.errors import InputError

from .catalogue import Lens, Pictures, VideoFile

SAME_SCALE: Final = 0.01
"""Sizes nearer than this are cut or padded instead of resampled: Human3.6M's 1000x1002 next to 1000x1000."""


@dataclass(frozen=True)
class Fit:
    """source, stored: (H, W). The source is scaled to `scaled` and put at (top, left), which is negative
    where its edges are cut off; what it leaves of the stored frame is black."""

    source: tuple[int, int]
    stored: tuple[int, int]

    @property
    def scaled(self) -> tuple[int, int]:
        scale = min(self.stored[0] / self.source[0], self.stored[1] / self.source[1])
        if abs(scale - 1) < SAME_SCALE:
            scale = 1.0
        return round(self.source[0] * scale), round(self.source[1] * scale)

    @property
    def corner(self) -> tuple[int, int]:
        """(top, left)."""
        height, width = self.scaled
        return (self.stored[0] - height) // 2, (self.stored[1] - width) // 2

    def picture(self, image: Image.Image) -> NDArray[np.uint8]:
        """The stored frame, uint8 [H, W, 3], of a picture of the source size."""
        height, width = self.scaled
        if image.size != (width, height):
            image.draft("RGB", (2 * width, 2 * height))  # a JPEG file decodes smaller where that is enough
        image = as_rgb(image)
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)  # low-pass filtered
        pixels = np.asarray(image)
        if (height, width) == self.stored:
            return pixels
        top, left = self.corner
        frame = np.zeros((*self.stored, 3), np.uint8)
        frame[max(top, 0) : top + height, max(left, 0) : left + width] = pixels[
            max(-top, 0) : max(-top, 0) + self.stored[0], max(-left, 0) : max(-left, 0) + self.stored[1]
        ]
        return frame

    def intrinsics(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """A camera matrix [3, 3] in pixels of the source → in pixels of the stored frame."""
        (top, left), (height, width) = self.corner, self.scaled
        to_stored = np.array(
            [[width / self.source[1], 0, left], [0, height / self.source[0], top], [0, 0, 1.0]]
        )
        return to_stored @ matrix

    def points(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Pixels [..., 2] = (u, v) of the source → of the stored frame."""
        (top, left), (height, width) = self.corner, self.scaled
        scale = np.array([width / self.source[1], height / self.source[0]])
        return np.asarray(points * scale + np.array([left, top]), np.float32)

    def boxes(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes θ [n, 4] in the source → in the stored frame."""
        (top, left), (height, width) = self.corner, self.scaled
        ratio = np.array([width / self.stored[1], height / self.stored[0]])
        shift = np.array([2 * left + width, 2 * top + height]) / np.array(self.stored[::-1]) - 1
        return np.concatenate([boxes[:, :2] * ratio, boxes[:, 2:] * ratio + shift], axis=1).astype(np.float32)


def stored_size(source: tuple[int, int], longer_side: int | None) -> tuple[int, int]:
    """(H, W) of the stored frames: the source's own, or scaled to this longer side."""
    if longer_side is None:
        return source
    scale = longer_side / max(source)
    return max(round(source[0] * scale), 1), max(round(source[1] * scale), 1)


@dataclass(frozen=True)
class Bad:
    """A picture that was left out: `name` of the file (with the frame number in a video), and why."""

    name: str
    reason: str


def reason(error: Exception) -> str:
    """The first line of what a decoder said."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"{type(error).__name__}: {error}".splitlines()[0]


def read_picture(path: Path, fit: Fit) -> NDArray[np.uint8]:
    """The stored frame uint8 [H, W, 3] of a picture file. Raises whatever the decoder raises, and ValueError
    for another size than the fit's source."""
    with Image.open(path) as image:
        if image.size != fit.source[::-1]:
            raise ValueError(f"{image.size[0]}x{image.size[1]}, not {fit.source[1]}x{fit.source[0]} pixels")
        return fit.picture(image)


def read_pictures(pictures: Pictures, fit: Fit) -> Iterator[tuple[int, NDArray[np.uint8] | Bad]]:
    """(index in the view, stored frame or what was wrong), every index once, in ascending order."""
    if isinstance(pictures, VideoFile):
        yield from _from_video(pictures, fit)
        return
    for index in range(len(pictures.labels)):
        path = pictures.path(index)
        try:
            yield index, read_picture(path, fit)
        except Exception as error:  # decoders raise anything for bad bytes
            yield index, Bad(str(path), reason(error))


def _from_video(video: VideoFile, fit: Fit) -> Iterator[tuple[int, NDArray[np.uint8] | Bad]]:
    index, why = 0, "the video ends before this frame"
    try:
        for _, bent in film_frames(video.file, video.wanted):
            image = bent if video.lens is None else _straightened(bent, video.lens)
            if image.size != fit.source[::-1]:
                raise ValueError(f"{image.size[0]}x{image.size[1]} pixels")
            yield index, fit.picture(image)
            index += 1
    except InputError:
        raise
    except Exception as error:  # as for pictures
        why = reason(error)
    for left in range(index, len(video.wanted)):
        yield left, Bad(f"{video.file}#{video.wanted[left]}", why)


def _straightened(image: Image.Image, lens: Lens) -> Image.Image:
    """The picture without its lens's distortion, black where the film did not see."""
    import cv2

    across, down = _straight_map(lens, image.size)
    return Image.fromarray(cv2.remap(np.asarray(image), across, down, cv2.INTER_LINEAR))


@lru_cache(maxsize=8)
def _straight_map(lens: Lens, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    import cv2

    matrix = np.array(lens.matrix).reshape(3, 3)
    bent, turn = np.array(lens.distortion), np.eye(3)
    make = cv2.fisheye.initUndistortRectifyMap if lens.fisheye else cv2.initUndistortRectifyMap
    across, down = make(matrix, bent, turn, matrix, size, cv2.CV_32FC1)
    return np.asarray(across), np.asarray(down)


def picture_size(pictures: Pictures) -> tuple[int, int] | None:
    """(H, W) of the first picture whose header can be read; None if there is none."""
    if isinstance(pictures, VideoFile):
        try:
            return film_facts(pictures.file).size
        except InputError:
            raise
        except Exception:  # told with its reason when the view is read
            return None
    for index in range(len(pictures.labels)):
        try:
            return size_of(pictures.path(index))
        except Exception:  # as above
            continue
    return None


def size_of(path: Path) -> tuple[int, int]:
    """(H, W) from a picture file's header."""
    with Image.open(path) as image:
        return image.size[1], image.size[0]
