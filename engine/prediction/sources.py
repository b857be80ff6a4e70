"""What `predict` is given, as a stream of frames: image files, folders of them, packed sets, videos.
Only a bounded number of frames is in memory at any time, and a file that cannot be read is an item of
the stream like any other."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dpa.engine.sessions.errors import MissingPackage
from dpa.models.data.films import film_frames, is_film
from dpa.models.data.store import PackedStore
from dpa.models.data.store_format import FRAMES
from dpa.models.errors import InputError, NeedsPackage

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


def read_video(path: Path, size: int, stride: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(number, RGB uint8 [size, size, 3]) of every `stride`-th frame of the first film in the file.

    Raises MissingPackage without PyAV, NoPictures, and PyAV's own errors for what it cannot decode.
    """
    try:
        for number, image in film_frames(path, every=stride, threads=True):
            yield number, fit_square(image, size)
    except NeedsPackage as error:
        raise MissingPackage("av", "video") from error


READ_AHEAD = 64
STORE_CHUNK = 64


@dataclass(frozen=True)
class Frame:
    """source: the file or packed set; index: its number there (0 for an image); pixels: uint8
    [H, W, 3]."""

    source: str
    index: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Unreadable:
    """A file, or the rest of a video from `index` on, that could not be decoded, and why."""

    source: str
    index: int
    reason: str


class NoSuchSource(InputError):
    """A path that is not there, or a folder that holds no picture."""


def read_sources(
    sources: Iterable[Path], size: int, threads: int, stride: int = 1
) -> Iterator[Frame | Unreadable]:
    """Every frame of every source, in order.

    size: side that pictures and video frames are fitted to; packed sets keep their own. threads: image
    decoders. stride: of a video, every n-th frame. Raises NoSuchSource before anything is read.
    """
    paths = list(sources)
    for path in paths:
        if not path.exists():
            raise NoSuchSource(
                f"{path} is not there", "an image, a folder, a packed set or a video", "check the path"
            )
        if path.is_dir() and not _is_store(path) and next(_pictures(path), None) is None:
            raise NoSuchSource(
                f"{path}: no picture in this folder or below it",
                f"files that end in {', '.join(sorted(PICTURES))}, or a packed set",
                "check the path; name videos one by one",
            )
    return chain.from_iterable(_read_one(path, size, threads, stride) for path in paths)


def count_frames(sources: Iterable[Path]) -> int | None:
    """How many frames there are to come, None when a video or a missing path makes it unknown."""
    total = 0
    for path in sources:
        if not path.exists() or (path.is_file() and is_film(path)):
            return None
        total += len(PackedStore.open(path)) if _is_store(path) else sum(1 for _ in _pictures(path))
    return total


def _read_one(path: Path, size: int, threads: int, stride: int) -> Iterator[Frame | Unreadable]:
    if _is_store(path):
        return _read_store(path)
    if path.is_file() and is_film(path):
        return _read_frames_of_video(path, size, stride)
    return _ahead(lambda picture: _read_picture(picture, size), _pictures(path), threads)


def _is_store(path: Path) -> bool:
    return (path / FRAMES).is_file()


def _pictures(path: Path) -> Iterator[Path]:
    """An image file itself, or the images below a folder, sorted within each folder."""
    if not path.is_dir():
        yield path
        return
    with os.scandir(path) as entries:
        names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in names:
        if is_folder:
            yield from _pictures(path / name)
        elif Path(name).suffix.lower() in PICTURES:
            yield path / name


def _read_picture(path: Path, size: int) -> Frame | Unreadable:
    try:
        return Frame(str(path), 0, read_picture(path, size))
    except Exception as error:  # decoders raise anything for bad bytes
        return Unreadable(str(path), 0, f"{type(error).__name__}: {error}".splitlines()[0])


def _read_store(path: Path) -> Iterator[Frame]:
    store = PackedStore.open(path)
    for start in range(0, len(store), STORE_CHUNK):
        for offset, pixels in enumerate(store.frames_u8_at(slice(start, start + STORE_CHUNK))):
            yield Frame(str(path), start + offset, pixels)


def _read_frames_of_video(path: Path, size: int, stride: int) -> Iterator[Frame | Unreadable]:
    index = 0
    try:
        for index, pixels in read_video(path, size, stride):
            yield Frame(str(path), index, pixels)
    except InputError:
        raise
    except Exception as error:  # as for pictures
        yield Unreadable(str(path), index, f"{type(error).__name__}: {error}".splitlines()[0])


def _ahead(
    work: Callable[[Path], Frame | Unreadable], paths: Iterator[Path], threads: int
) -> Iterator[Frame | Unreadable]:
    """`work` over `paths` in threads, results in order, at most READ_AHEAD of them waiting."""
    waiting: deque[Future[Frame | Unreadable]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for path in paths:
            waiting.append(pool.submit(work, path))
            if len(waiting) >= READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
