"""What `predict` is given, as a stream of frames: image files, folders of them, packed sets, videos.
Everything below a folder is listed before the first frame is read. Only a bounded number of frames is in
memory at any time, and a file that cannot be read is an item of the stream like any other."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpa.engine.sessions.errors import MissingPackage
from dpa.models.artefacts import kind_of
from dpa.models.data.films import FILM_SUFFIXES, film_frames, is_film
from dpa.models.data.photographs import upright
from dpa.models.data.store import PackedStore
from dpa.models.data.store_format import FRAMES
from dpa.models.errors import InputError, NeedsPackage

PICTURE_NAMES = "jpg jpeg jfif png bmp tif tiff webp ppm pgm pbm pnm gif jp2 tga avif"
PICTURES = frozenset(f".{name}" for name in PICTURE_NAMES.split(" "))

OTHER_NAMES = "heic heif jxl dng cr2 cr3 nef arw raf orf rw2 psd exr hdr svg"
NOT_READ = frozenset(f".{name}" for name in OTHER_NAMES.split(" "))
"""Pictures that Pillow cannot open: they are named, never skipped."""

DRAWN = "pictures that predict drew"
"""The kind of a folder of overlays, for its marker."""


def read_picture(path: Path, size: int) -> NDArray[np.uint8]:
    """The image as RGB uint8 [size, size, 3], upright as its EXIF tag says.

    Raises whatever the decoder raises for a file that is not a whole image.
    """
    with Image.open(path) as image:
        # a JPEG decoded at a half, quarter or eighth costs that much less
        image.draft("RGB", (2 * size, 2 * size))
        return fit_square(upright(image), size)


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
    sources: Iterable[Path], size: int, threads: int, stride: int = 1, outputs: Iterable[Path] = ()
) -> Iterator[Frame | Unreadable]:
    """Every frame of every source, in order.

    size: side that pictures and video frames are fitted to; packed sets keep their own. threads: image
    decoders. stride: of a video, every n-th frame. outputs: places that will be written, and are no source.
    Raises NoSuchSource; by then everything is listed, and nothing read.
    """
    parts: list[Iterator[Frame | Unreadable]] = []
    for pictures, group in groupby(
        list_sources(sources, outputs), key=lambda one: isinstance(one, Path) and _is_picture(one)
    ):
        if pictures:
            paths = [one for one in group if isinstance(one, Path)]
            parts.append(_ahead(lambda one: _read_picture(one, size), iter(paths), threads))
        else:
            parts += [_read_one(one, size, stride) for one in group]
    return chain.from_iterable(parts)


def count_frames(sources: Iterable[Path], outputs: Iterable[Path] = ()) -> int | None:
    """How many frames there are to come, None when a video or a missing path makes it unknown."""
    total = 0
    try:
        listed = list_sources(sources, outputs)
    except NoSuchSource:
        return None
    for one in listed:
        if isinstance(one, Path) and _is_store(one):
            total += len(PackedStore.open(one))
        elif isinstance(one, Path) and not _is_picture(one) and is_film(one):
            return None
        else:
            total += 1
    return total


def list_sources(sources: Iterable[Path], outputs: Iterable[Path] = ()) -> list[Path | Unreadable]:
    """Pictures, films and packed sets in the order in which they are read, and what below a folder is neither
    and looks as if it should be. Raises NoSuchSource for a path that is not there, is no plain file, or holds
    nothing of the kind."""
    written = {path.resolve() for path in outputs}
    listed: list[Path | Unreadable] = []
    for path in sources:
        if not path.exists():
            raise NoSuchSource(
                f"{path} is not there", "an image, a folder, a packed set or a video", "check the path"
            )
        if not path.is_dir():
            if not path.is_file():
                raise NoSuchSource(f"{path}: no plain file", "a file or a folder", "check the path")
            listed.append(path)
            continue
        found = [path] if _is_store(path) else list(_below(path, written, ()))
        if not any(isinstance(one, Path) for one in found):
            named = "" if not found else f", but {_name(Path(found[0].source))}: {found[0].reason}"  # type: ignore[union-attr]
            raise NoSuchSource(
                f"{path}: no picture in this folder or below it{named}",
                f"files that end in {', '.join(sorted(PICTURES))}, films, or a packed set",
                "check the path",
            )
        listed += found
    return listed


def _below(folder: Path, written: Set[Path], above: tuple[Path, ...]) -> Iterator[Path | Unreadable]:
    """What lies below a folder, sorted within each folder; links to folders are followed, circles named."""
    here = folder.resolve()
    if here in written or kind_of(folder) == DRAWN:
        return
    if here in above:
        yield Unreadable(_name(folder), 0, "a link to a folder that it lies in")
        return
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        yield Unreadable(_name(folder), 0, f"a folder that cannot be read: {error.strerror}")
        return
    for name in names:
        path = folder / name
        kind = path.suffix.lower()
        if path.is_dir():
            if _is_store(path):
                yield path
            else:
                yield from _below(path, written, (*above, here))
        elif kind in NOT_READ:
            yield Unreadable(
                _name(path), 0, f"{kind[1:].upper()} pictures cannot be read here: convert them to JPEG"
            )
        elif kind in PICTURES or kind in FILM_SUFFIXES:
            why = _why_not(path)
            yield path if why is None else Unreadable(_name(path), 0, why)


def _why_not(path: Path) -> str | None:
    """Why a picture or a film is not even opened."""
    if path.is_symlink() and not path.exists():
        return "a link that leads nowhere"
    if not path.is_file():
        return "no plain file"
    if path.suffix.lower() in FILM_SUFFIXES and find_spec("av") is None:
        return "films need PyAV: pip install 'dpa-engine[video]'"
    return None


def _is_store(path: Path) -> bool:
    return (path / FRAMES).is_file()


def _is_picture(path: Path) -> bool:
    """What is neither a packed set nor a film is tried as a picture, whatever its name."""
    return not _is_store(path) and (path.suffix.lower() in PICTURES or not is_film(path))


def _name(path: Path) -> str:
    """A path as text that every file and terminal can hold: bytes that are not UTF-8 as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _read_one(one: Path | Unreadable, size: int, stride: int) -> Iterator[Frame | Unreadable]:
    if isinstance(one, Unreadable):
        return iter([one])
    return _read_store(one) if _is_store(one) else _read_frames_of_video(one, size, stride)


def _read_picture(path: Path, size: int) -> Frame | Unreadable:
    try:
        return Frame(_name(path), 0, read_picture(path, size))
    except Exception as error:  # decoders raise anything for bad bytes
        return Unreadable(_name(path), 0, f"{type(error).__name__}: {error}".splitlines()[0])


def _read_store(path: Path) -> Iterator[Frame]:
    store = PackedStore.open(path)
    for start in range(0, len(store), STORE_CHUNK):
        for offset, pixels in enumerate(store.frames_u8_at(slice(start, start + STORE_CHUNK))):
            yield Frame(_name(path), start + offset, pixels)


def _read_frames_of_video(path: Path, size: int, stride: int) -> Iterator[Frame | Unreadable]:
    index = 0
    try:
        for index, pixels in read_video(path, size, stride):
            yield Frame(_name(path), index, pixels)
    except InputError:
        raise
    except Exception as error:  # as for pictures
        yield Unreadable(_name(path), index, f"{type(error).__name__}: {error}".splitlines()[0])


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
