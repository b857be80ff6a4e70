"""What predict reads: order, shapes, sizes, and bad files as items of the stream."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpa.engine.prediction.overlay import overlay_writer
from dpa.engine.prediction.sources import (
    Frame,
    NoSuchSource,
    Unreadable,
    count_frames,
    fit_square,
    read_picture,
    read_sources,
)


def picture(path: Path, width: int = 40, height: int = 40, colour=(200, 100, 50)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), colour).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two folders of pictures, one of them with a text, a cut file and a lie."""
    root = tmp_path / "pictures"
    picture(root / "b" / "2.png")
    picture(root / "b" / "10.jpg")
    picture(root / "a.png")
    (root / "notes.txt").write_text("not a picture")
    (root / "b" / "3.png").write_bytes((root / "b" / "2.png").read_bytes()[:60])
    (root / "b" / "4.jpg").write_text("not a picture either")
    return root


def test_order_and_bad_files(folder: Path) -> None:
    items = list(read_sources([folder, folder / "a.png"], 32, threads=3))
    names = [str(Path(item.source).relative_to(folder)) for item in items]
    assert names == ["a.png", "b/10.jpg", "b/2.png", "b/3.png", "b/4.jpg", "a.png"]
    bad = [item for item in items if isinstance(item, Unreadable)]
    assert [Path(item.source).name for item in bad] == ["3.png", "4.jpg"]
    assert all(item.reason and "\n" not in item.reason for item in bad)
    assert all(item.pixels.shape == (32, 32, 3) for item in items if isinstance(item, Frame))
    assert count_frames([folder, folder / "a.png"]) == 6


def test_no_more_than_a_window_is_decoded_ahead(tmp_path: Path, monkeypatch) -> None:
    for index in range(40):
        picture(tmp_path / f"{index:03}.png", 4, 4)
    decoded = []
    monkeypatch.setattr("dpa.engine.prediction.sources.READ_AHEAD", 5)
    monkeypatch.setattr(
        "dpa.engine.prediction.sources.read_picture",
        lambda path, size: decoded.append(path) or np.zeros((size, size, 3), np.uint8),
    )
    stream = read_sources([tmp_path], 16, threads=2)
    for taken in range(1, 20):
        next(stream)
        assert len(decoded) <= taken + 5


def test_a_path_that_is_not_there_is_named_before_anything_is_read(folder: Path) -> None:
    with pytest.raises(NoSuchSource, match="missing"):
        read_sources([folder, folder / "missing"], 32, 1)


def test_a_folder_without_any_picture_is_named_before_anything_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "films/old").mkdir(parents=True)
    (tmp_path / "films/old/walk.txt").write_bytes(b"")
    with pytest.raises(NoSuchSource, match=r"films: no picture.*\n.*\.png"):
        read_sources([folder, tmp_path / "films"], 16, 1)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (80, 40), (30, 90), (1000, 10), (7, 7)])
def test_a_picture_is_fitted_whole_and_centred(width: int, height: int) -> None:
    made = fit_square(Image.new("RGB", (width, height), (255, 255, 255)), 32)
    inside = (made > 127).all(axis=-1)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    scale = 32 / max(width, height)
    assert len(rows) == max(round(height * scale), 1) and len(columns) == max(round(width * scale), 1)
    for used in (rows, columns):
        assert abs((used[0] + used[-1]) / 2 - 15.5) <= 0.5, "not in the middle"


def test_averages_as_area_does() -> None:
    """Halving a picture of random pixels keeps its mean: no pixel is skipped."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    made = fit_square(Image.fromarray(noise), 32)
    blocks = noise.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3))
    assert np.abs(made.astype(float) - blocks).mean() < 6
    skipped = noise[4::8, 4::8].astype(float)
    assert np.abs(skipped - blocks).mean() > 40, "the oracle would not tell the difference"


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new("RGB", (20, 20), (102, 102, 102)).convert(mode).save(path)
    made = read_picture(path, 20)
    assert made.shape == (20, 20, 3) and np.abs(made.astype(int) - 102).max() <= 3


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:10] = 255  # a white bar on top of the stored image
    exif = Image.Exif()
    exif[0x0112] = 6  # shown rotated by 90° clockwise: the bar is on the right
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    made = read_picture(tmp_path / "x.png", 40)
    assert made[:, 30:].min() == 255 and made[:, :30].max() == 0


def deep(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def test_sixteen_bits_show_the_same_picture_as_eight(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    made = {
        name: read_picture(deep(tmp_path / name, values), 20)[..., 0]
        for name, values in {
            "8.png": grey,
            "16.png": grey.astype(np.uint16) * 257,
            "float.tif": (grey / 255).astype(np.float32),
            "bytes.tif": grey.astype(np.float32),
        }.items()
    }
    for name, pixels in made.items():
        assert np.abs(pixels.astype(int) - grey).max() <= 1, name


def test_a_picture_of_numbers_that_are_none_is_named(tmp_path: Path) -> None:
    path = deep(tmp_path / "x.tif", np.full((4, 4), np.nan, np.float32))
    (item,) = read_sources([path], 16, 1)
    assert isinstance(item, Unreadable) and "finite" in item.reason


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_hidden_under_transparency_changes_nothing(tmp_path: Path, mode: str) -> None:
    rng = np.random.default_rng(1)
    shown = rng.integers(1, 256, (20, 20, 3), dtype=np.uint8)
    alpha = np.zeros((20, 20), np.uint8)
    alpha[5:15, 5:15] = 255
    made = []
    for number, hidden in enumerate(
        (np.zeros_like(shown), rng.integers(0, 256, shown.shape, dtype=np.uint8))
    ):
        pixels = np.where(alpha[..., None] > 0, shown, hidden)
        image = Image.fromarray(np.dstack([pixels, alpha]))
        if mode == "P":
            image = Image.fromarray(np.where(alpha > 0, 7, number).astype(np.uint8)).convert("P")
            image.putpalette(list(range(256)) * 3)
            image.save(tmp_path / f"{number}.png", transparency=bytes([0, 0, *[255] * 254]))
        else:
            (image.convert("LA") if mode == "LA" else image).save(tmp_path / f"{number}.png")
        made.append(read_picture(tmp_path / f"{number}.png", 20))
    np.testing.assert_array_equal(*made)
    assert made[0][:5].max() == 0 and made[0][6:14, 6:14].max() > 0


def test_everything_below_a_folder_is_read_or_named(tmp_path: Path) -> None:
    picture(tmp_path / "root" / "a.png")
    picture(tmp_path / "elsewhere" / "b.png")
    root = tmp_path / "root"
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "circle").symlink_to(root)
    (root / "gone.png").symlink_to(tmp_path / "nowhere")
    (root / "phone.HEIC").write_bytes(b"x")
    os.mkfifo(root / "pipe.jpg")
    items = list(read_sources([root], 16, 1))
    read = [Path(item.source).name for item in items if isinstance(item, Frame)]
    named = {Path(item.source).name: item.reason for item in items if isinstance(item, Unreadable)}
    assert read == ["a.png", "b.png"]
    assert named.keys() == {"circle", "gone.png", "phone.HEIC", "pipe.jpg"}
    assert "HEIC" in named["phone.HEIC"] and "leads nowhere" in named["gone.png"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(NoSuchSource, match="no plain file"):
        read_sources([tmp_path / "pipe.png"], 16, 1)


def test_what_is_written_is_no_source(folder: Path) -> None:
    """Neither what will be drawn nor what an earlier call drew."""
    draw = overlay_writer(folder / "looked")
    picture(folder / "looked" / "000000_a.png")
    picture(folder / "now" / "000000_a.png")
    names = [Path(item.source).name for item in read_sources([folder], 16, 1, outputs=[folder / "now"])]
    assert names == ["a.png", "10.jpg", "2.png", "3.png", "4.jpg"] and draw
    assert count_frames([folder], [folder / "now"]) == 5


def test_names_that_are_not_utf_8_are_told_in_ascii(tmp_path: Path) -> None:
    picture(tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    (item,) = read_sources([tmp_path], 16, 1)
    assert isinstance(item, Frame) and item.source.endswith("caf\\xe9.png") and item.source.encode()
