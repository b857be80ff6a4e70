"""Films as every player shows them, through the optional package PyAV: turned as the display matrix says,
with square pixels, each frame at its own time. The one place where films are decoded.

The time of a frame is its presentation time stamp, counted from the first frame that is shown: number ÷
average rate is wrong by up to a second where the rate varies. FFmpeg leaves out what an edit list cuts away.
"""

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpa.models.errors import NeedsPackage

FILM_NAMES = (
    "3g2 3gp asf avi divx flv m2ts m4v mjpeg mjpg mkv mov mp4 mpe mpeg mpg mts mxf ogv qt ts vob webm wmv"
)
FILM_SUFFIXES = frozenset(f".{name}" for name in FILM_NAMES.split(" "))
"""Names that promise a film, so that one which cannot be opened is told. What is a film, the decoder says."""

ONE_PICTURE = ("image2", "_pipe", "tty")
"""Parts of the names of FFmpeg's formats that are pictures or text, and would open as films of one frame."""


SAME_RATE = 0.01
"""Rates nearer than this share are one: the stamps of most containers are rounded."""


class NoPictures(ValueError):
    """A media file without a film in it: sound alone, or sound with a cover."""


@dataclass(frozen=True)
class FilmFacts:
    """times: float64 [n] seconds of each frame since the first one, ascending. size: (H, W) as shown, in
    square pixels. fps: as the file tells, if n - 1 frames over the time between agree; else those."""

    times: NDArray[np.float64]
    size: tuple[int, int]
    fps: float


def is_film(path: Path) -> bool:
    """Whether to treat a file as a film: its name promises one, or the decoder finds one, or sound, in it."""
    if path.suffix.lower() in FILM_SUFFIXES:
        return True
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind.startswith(("image/", "text/")) or kind in ("application/json", "application/x-hdf5"):
        return False
    if path.suffix.lower() in (".npz", ".npy", ".h5", ".mat", ".pkl", ".yaml", ".yml", ".toml", ".cdf"):
        return False
    try:
        with _av().open(str(path)) as container:
            formats = container.format.name
            return not any(part in formats for part in ONE_PICTURE) and len(container.streams) > 0
    except Exception:  # the decoder raises anything for what is no media file, or is not installed
        return False


def film_facts(path: Path) -> FilmFacts:
    """What the first film in the file shows, from its packets; one frame is decoded, to see how it lies.

    Raises NoPictures, NeedsPackage, and PyAV's own errors for what it cannot decode.
    """
    with _film(path) as (container, stream):
        stamps = [
            (packet.pts, packet.dts)
            for packet in container.demux(stream)
            if packet.size and not packet.is_discard
        ]
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        base = float(stream.time_base)
    shown = [pts for pts, _ in stamps]
    if any(pts is None for pts in shown) or len(set(shown)) < len(shown):  # raw streams have no stamps
        times = np.arange(len(shown)) / rate
    else:
        times = (np.sort(np.array(shown, np.float64)) - min(shown, default=0)) * base
    size = next(((image.height, image.width) for _, image in film_frames(path)), None)
    if size is None:
        raise NoPictures("not one frame of it can be decoded")
    mean = (len(times) - 1) / float(times[-1]) if len(times) > 1 and times[-1] > 0 else rate
    return FilmFacts(times, size, rate if abs(mean / rate - 1) < SAME_RATE else mean)


def film_frames(
    path: Path, wanted: NDArray[np.int64] | None = None, *, every: int = 1, threads: bool = False
) -> Iterator[tuple[int, Image.Image]]:
    """(number, RGB picture as shown) of the frames of these numbers (ascending, from 0 in the order in which
    they are shown), or of every n-th one.

    Ends early where the film does. threads: decode on several cores. Raises NoPictures, NeedsPackage, and
    PyAV's own errors for what it cannot decode.
    """
    remaining = None if wanted is None else iter(wanted.tolist())
    following = 0 if remaining is None else next(remaining, None)
    with _film(path) as (container, stream):
        if threads:
            stream.thread_type = "AUTO"
        for number, frame in enumerate(container.decode(stream)):
            if following is None:
                return
            if number == following:
                yield number, _as_shown(frame, stream)
                following = number + every if remaining is None else next(remaining, None)


@contextmanager
def _film(path: Path) -> Iterator[tuple[Any, Any]]:
    """The open container and its first film, covers of records left out."""
    av = _av()
    with av.open(str(path)) as container:
        cover = av.stream.Disposition.attached_pic
        films = [stream for stream in container.streams.video if not stream.disposition & cover]
        if not films:
            kinds = sorted({stream.type for stream in container.streams})
            raise NoPictures(f"holds no pictures, only {' and '.join(kinds) or 'nothing'}")
        yield container, films[0]


def _as_shown(frame: Any, stream: Any) -> Image.Image:
    """The frame turned, mirrored and stretched as its metadata asks for."""
    image: Image.Image = frame.to_image()
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if aspect > 0 and abs(aspect - 1) > 1e-3:
        image = image.resize((max(round(image.width * aspect), 1), image.height), Image.Resampling.BILINEAR)
    for turn in _turns(frame):
        image = image.transpose(turn)
    return image


def _turns(frame: Any) -> list[Image.Transpose]:
    """What the display matrix does, to the nearest quarter: x' = a·x + c·y, y' = b·x + d·y."""
    matrix = next((bytes(one) for one in frame.side_data if one.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return []
    a, b, _, c, d = np.frombuffer(matrix, "<i4")[:5].tolist()
    lying = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c, b) if lying else (a, d)
    turns = [Image.Transpose.TRANSPOSE] if lying else []
    turns += [Image.Transpose.FLIP_LEFT_RIGHT] if across < 0 else []
    turns += [Image.Transpose.FLIP_TOP_BOTTOM] if down < 0 else []
    return turns


def _av() -> Any:
    try:
        import av
        import av.stream
    except ImportError as error:
        raise NeedsPackage("av") from error
    return av
