"""Films as players show them: rotation, mirrors, square pixels, each frame at its own time."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from dpa.engine.prediction.sources import Frame, read_sources
from dpa.models.data.films import film_facts, film_frames

HEIGHT, WIDTH = 48, 80
QUARTER_TURNS = {  # what the matrix [[a, b], [c, d]] of a film's header does to a picture, by NumPy
    (0, 1, -1, 0): lambda picture: np.rot90(picture, -1),
    (0, -1, 1, 0): lambda picture: np.rot90(picture, 1),
    (-1, 0, 0, -1): lambda picture: np.rot90(picture, 2),
    (-1, 0, 0, 1): lambda picture: picture[:, ::-1],
    (1, 0, 0, -1): lambda picture: picture[::-1],
    (0, 1, 1, 0): lambda picture: picture.transpose(1, 0, 2),
}


def pictures(count: int) -> np.ndarray:
    """Four quarters of different colours, and a bar that tells the number of the frame."""
    frames = np.zeros((count, HEIGHT, WIDTH, 3), np.uint8)
    frames[:, : HEIGHT // 2, : WIDTH // 2] = (220, 40, 40)
    frames[:, : HEIGHT // 2, WIDTH // 2 :] = (40, 200, 40)
    frames[:, HEIGHT // 2 :, : WIDTH // 2] = (40, 40, 210)
    for number, frame in enumerate(frames):
        frame[HEIGHT // 2 :, WIDTH // 2 :] = 12 * number
    return frames


def write(
    path: Path, frames: np.ndarray, stamps: Sequence[int] | None = None, aspect: Fraction | None = None
) -> None:
    """stamps: presentation times in 1/30 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 30)
        stream.bit_rate = 4_000_000
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number if stamps is None else stamps[number]
            frame.time_base = Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def turned(path: Path, matrix: Sequence[int]) -> None:
    """Writes the matrix [[a, b], [c, d]] into the header of an MP4's one track (ISO 14496-12, tkhd)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (part << 16 for part in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("matrix", QUARTER_TURNS)
def test_a_film_lies_as_its_display_matrix_says(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    path = tmp_path / "film.mp4"
    write(path, pictures(3))
    turned(path, matrix)
    expected = [QUARTER_TURNS[matrix](picture).astype(int) for picture in pictures(3)]
    for (_, image), picture in zip(film_frames(path), expected, strict=True):
        assert np.abs(np.asarray(image).astype(int) - picture).mean() < 12
    assert film_facts(path).size == expected[0].shape[:2]
    predicted = [item.pixels for item in read_sources([path], 80, 1) if isinstance(item, Frame)]
    top, left = ((80 - side) // 2 for side in expected[0].shape[:2])
    inside = predicted[0][top : 80 - top, left : 80 - left].astype(int)
    assert len(predicted) == 3 and np.abs(inside - expected[0]).mean() < 12


def test_pixels_that_are_not_square_become_square(tmp_path: Path) -> None:
    path = tmp_path / "wide.mkv"
    write(path, pictures(2), aspect=Fraction(3, 2))
    assert film_facts(path).size == (HEIGHT, 120)
    image = next(film_frames(path))[1]
    stretched = np.asarray(Image.fromarray(pictures(1)[0]).resize((120, HEIGHT)), int)
    assert image.size == (120, HEIGHT) and np.abs(np.asarray(image).astype(int) - stretched).mean() < 12


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_every_frame_has_its_own_time(tmp_path: Path, suffix: str) -> None:
    """At a rate that varies, and from a first stamp that is not 0."""
    stamps = [30, 31, 32, 47, 48, 90, 91]
    path = tmp_path / f"film.{suffix}"
    write(path, pictures(len(stamps)), stamps)
    facts = film_facts(path)
    np.testing.assert_allclose(facts.times, (np.array(stamps) - 30) / 30, atol=2e-3)
    assert facts.fps == pytest.approx(6 / (61 / 30), rel=1e-3)
    assert len(list(film_frames(path))) == len(stamps)


def test_the_frames_that_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write(path, pictures(9))
    grey = {number: float(np.asarray(image)[-4, -4].mean()) for number, image in film_frames(path)}
    assert list(grey) == list(range(9))
    for wanted, every in ((np.array([1, 4, 7]), 1), (None, 4)):
        chosen = dict(film_frames(path, wanted, every=every))
        assert list(chosen) == ([1, 4, 7] if wanted is not None else [0, 4, 8])
        for number, image in chosen.items():
            assert np.asarray(image)[-4, -4].mean() == pytest.approx(grey[number], abs=1)
