"""Any videos, without poses: frames, plates, silhouettes and boxes by background subtraction alone."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.models.data.importers.catalogue import NotThisLayout
from dpa.models.data.importers.video import read_videos
from dpa.models.data.store import PackedStore

SIDE, COUNT = 48, 12


def film(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0"))
            )
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def moving() -> tuple[np.ndarray, np.ndarray]:
    """A square of 12 pixels that walks through noise, and its corners (x, y); the last frame is empty."""
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 120, (SIDE, SIDE, 3)).astype(np.uint8)
    frames = np.repeat(scene[None], COUNT, axis=0)
    corners = np.array([(3 * n, 10) for n in range(COUNT - 1)])
    for frame, (x, y) in zip(frames, corners, strict=False):
        frame[y : y + 12, x : x + 12] = 240
    return frames, corners


def test_frames_boxes_and_plates(moving: Any, pack: Any, tmp_path: Path) -> None:
    frames, corners = moving
    film(tmp_path / "src" / "anna" / "dancing.avi", frames)
    film(tmp_path / "src" / "ben" / "dancing.mkv", frames[:6])
    store, report = pack(read_videos(tmp_path / "src"), tmp_path / "store")
    assert set(store.subject) == {"anna", "ben"} and set(store.action) == {"dancing"} and store.fps == 30
    rows = np.flatnonzero(store.subject == "anna")
    assert len(rows) == COUNT - 1 and [bad.reason for bad in report.quarantined] == ["nobody to be seen"]
    np.testing.assert_array_equal(store.frames_u8_at(rows), frames[:-1])
    np.testing.assert_array_equal(store.plates[store.plate[rows[0]]], frames[-1])
    np.testing.assert_allclose(store.time[rows], np.arange(COUNT - 1) / 30)
    np.testing.assert_allclose(store.box[rows, 2:], (2 * corners + 12) / SIDE - 1, atol=1e-6)
    np.testing.assert_allclose(store.box[rows, :2], 12 * 1.15 / SIDE, rtol=1e-6)
    for mask, (x, y) in zip(store.silhouettes(rows), corners, strict=True):
        true = np.zeros((SIDE, SIDE), bool)
        true[y : y + 12, x : x + 12] = True
        np.testing.assert_array_equal(mask, true)


@pytest.mark.parametrize("bad_clips", [None, "keep", "leave-out"])
def test_a_film_without_a_steady_camera_is_named(tmp_path: Path, bad_clips: str | None) -> None:
    """Kept, and an error for the shell, if nobody said what to do; else as was said. Always named."""
    rng = np.random.default_rng(1)
    scene = np.repeat(np.repeat(rng.integers(0, 200, (24, 24, 3)), 4, 0), 4, 1).astype(np.uint8)
    steady = np.repeat(scene[None], 24, axis=0)
    for number, frame in enumerate(steady):
        frame[20:70, 3 * number : 3 * number + 20] = 250
    shaken = np.stack([np.roll(frame, rng.integers(-9, 10, 2), (0, 1)) for frame in steady])
    film(tmp_path / "src" / "steady.avi", steady)
    film(tmp_path / "src" / "shaken.avi", shaken)
    command = ["data", "import", "video", str(tmp_path / "src"), "--out", str(tmp_path / "store"), "--json"]
    option = [] if bad_clips is None else ["--bad-clips", bad_clips]
    result = CliRunner().invoke(app, [*command, "--workers", "1", *option])
    assert result.exit_code == (1 if bad_clips is None else 0), result.stderr
    assert "shaken" in result.stderr and "the camera moves" in result.stderr
    assert "steady" not in result.stderr
    facts = json.loads(result.stdout)
    assert [one["name"].split()[1] for one in facts["bad_clips"]] == ["shaken"]
    store = PackedStore.open(tmp_path / "store")
    assert set(store.action) == ({"steady"} if bad_clips == "leave-out" else {"steady", "shaken"})
    told = {one["name"].split()[1]: one["kept"] for one in store.meta["views"]}  # type: ignore[attr-defined]
    assert told == {"steady": True, "shaken": bad_clips != "leave-out"}


def test_poses_are_unknown_not_zero(moving: Any, pack: Any, tmp_path: Path) -> None:
    film(tmp_path / "src.avi", moving[0])
    store, _ = pack(read_videos(tmp_path / "src.avi"), tmp_path / "store")
    assert (
        np.isnan(store.poses).all() and store.meta["poses"] == "none" and store.meta["cameras"] == "guessed"
    )
    assert set(store.subject) == {"unknown"}


def test_what_is_no_video_is_skipped_and_named(moving: Any, tmp_path: Path) -> None:
    film(tmp_path / "good.avi", moving[0])
    (tmp_path / "bad.mp4").write_bytes(b"no film")
    (tmp_path / "notes.txt").write_text("not looked at")
    catalogue = read_videos(tmp_path)
    assert len(catalogue.views) == 1 and [name for name, _ in catalogue.skipped] == ["bad.mp4"]


def test_sound_alone_is_named_and_a_film_is_known_by_its_content(
    moving: Any, pack: Any, tmp_path: Path
) -> None:
    film(tmp_path / "src" / "dance.avi", moving[0])
    (tmp_path / "src" / "dance.avi").rename(tmp_path / "src" / "dance.unheard-of")
    with av.open(str(tmp_path / "src" / "song.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    catalogue = read_videos(tmp_path / "src")
    assert [view.clip for view in catalogue.views] == ["dance.unheard-of"]
    assert [name for name, _ in catalogue.skipped] == ["song.mp4"]
    assert "holds no pictures, only audio" in catalogue.skipped[0][1]
    store, _ = pack(catalogue, tmp_path / "store")
    np.testing.assert_array_equal(store.frames, moving[0][:-1])


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotThisLayout, match="films"):
        read_videos(tmp_path)
