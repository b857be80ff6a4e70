"""Videos as a source: frame numbers, strides, a file that is cut, and no PyAV."""

import builtins
from pathlib import Path

import numpy as np
import pytest

from dpa.engine.prediction.sources import Frame, Unreadable, count_frames, read_sources
from dpa.engine.sessions.errors import MissingPackage

SIDE = 64


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """30 grey frames; frame n has brightness 8 n."""
    av = pytest.importorskip("av", reason="needs the extra 'video'")
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuvj420p"
        for number in range(30):
            pixels = np.full((SIDE, SIDE, 3), 8 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("stride", [1, 7])
def test_frames_carry_their_number_and_their_picture(video: Path, stride: int) -> None:
    items = list(read_sources([video], 32, threads=1, stride=stride))
    assert [item.index for item in items] == list(range(0, 30, stride))
    for item in items:
        assert isinstance(item, Frame) and item.pixels.shape == (32, 32, 3)
        assert abs(item.pixels.astype(float).mean() - 8 * item.index) < 4
    assert count_frames([video]) is None


def test_what_is_not_a_video_is_named_and_the_rest_goes_on(video: Path, tmp_path: Path) -> None:
    (tmp_path / "lie.mp4").write_text("not a video at all")
    items = list(read_sources([tmp_path / "lie.mp4", video], 32, threads=1))
    assert isinstance(items[0], Unreadable) and items[0].source.endswith("lie.mp4") and items[0].reason
    assert len(items) == 31


def test_without_pyav_one_line_names_the_extra(tmp_path: Path, monkeypatch) -> None:
    real = builtins.__import__

    def refuse(name, *rest, **named):
        if name == "av":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    (tmp_path / "clip.mp4").write_bytes(b"")
    with pytest.raises(MissingPackage, match=r"dpa-engine\[video\]"):
        list(read_sources([tmp_path / "clip.mp4"], 32, threads=1))
