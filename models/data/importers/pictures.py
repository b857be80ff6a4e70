"""Reads the pictures of a view one by one. What cannot be read is told apart with its name and reason, never
raised: a data set of two million files has some bad ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpa.models.errors import InputError

from .catalogue import PictureFiles, Pictures, VideoFile
from .fit import Fit
from .video_frames import video_frames, video_size


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
        for image in video_frames(video.file, video.wanted):
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


def picture_size(pictures: Pictures) -> tuple[int, int] | None:
    """(H, W) of the first picture whose header can be read; None if there is none."""
    if isinstance(pictures, VideoFile):
        try:
            return video_size(pictures.file)
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


def plate_files(plate: Path | PictureFiles | None, index: int) -> Path | None:
    """The file of a frame's own plate, or of the view's."""
    return plate.path(index) if isinstance(plate, PictureFiles) else plate
