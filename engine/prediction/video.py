"""Videos, through the optional package PyAV."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpa.engine.prediction.pictures import fit_square
from dpa.engine.sessions.errors import MissingPackage

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"})


def read_video(path: Path, size: int, stride: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(number, RGB uint8 [size, size, 3]) of every `stride`-th frame of the first video stream.

    Raises MissingPackage without PyAV, and PyAV's own errors for what it cannot decode.
    """
    try:
        import av  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise MissingPackage("av", "video") from error
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        frames: Iterator[Any] = container.decode(stream)  # PyAV is typed in part
        for number, frame in enumerate(frames):
            if number % stride == 0:
                yield number, fit_square(frame.to_image(), size)
