"""Frames of a video file, through the optional package PyAV."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpa.models.errors import NeedsPackage


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise NeedsPackage("av") from error
    return av


def video_frames(path: Path, wanted: NDArray[np.int64]) -> Iterator[Image.Image]:
    """The frames of these numbers (ascending, from 0 in decoding order), RGB.

    Ends early where the video does. Raises NeedsPackage, and PyAV's own errors for what it cannot decode.
    """
    remaining = iter(wanted.tolist())
    next_wanted = next(remaining, None)
    with _av().open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if next_wanted is None:
                return
            if number == next_wanted:
                yield frame.to_image()
                next_wanted = next(remaining, None)


def video_size(path: Path) -> tuple[int, int]:
    """(H, W) of the first video stream."""
    with _av().open(str(path)) as container:
        stream = container.streams.video[0]
        return int(stream.height), int(stream.width)


def video_facts(path: Path) -> tuple[int, float]:
    """(frames, frames per second) of the first video stream. The frames are counted as packets, without
    decoding: what a container says of itself is often wrong."""
    with _av().open(str(path)) as container:
        stream = container.streams.video[0]
        count = sum(1 for packet in container.demux(stream) if packet.size)
        rate = stream.average_rate or stream.guessed_rate or 25
        return count, float(rate)
