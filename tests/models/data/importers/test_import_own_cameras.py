"""One's own synchronised cameras: calibrations of every kind, frames matched by time, lenses straightened."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.models.data.contract import Camera
from dpa.models.data.importers.catalogue import BrokenAnnotations, NotThisLayout
from dpa.models.data.importers.own_cameras import read_cameras, read_own_cameras
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import generate
from dpa.models.errors import InputError

SIDE = 96
BENT = (0.3, -0.08, 0.002, -0.001, 0.01)
HALF = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
"""OpenCV counts pixels from the first one's centre, the contract from its edge."""


def write_film(path: Path, frames: Any, stamps: Any = None, rate: int = 10) -> None:
    """stamps: in 1/30 s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        stream.codec_context.time_base = stream.time_base = Fraction(1, 30)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.time_base, frame.pts = (
                Fraction(1, 30),
                int(3 * number if stamps is None else stamps[number]),
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(folder of two films of two clips each, cameras, the synthetic set that they show)."""
    root = tmp_path_factory.mktemp("own")
    config = SynthConfig(
        subjects=("S1",), actions=("Walking",), clips=2, frames=24, fps=10, size=SIDE, seed=1, workers=1
    )
    store = generate(config, root / "set")
    for sequence in (0, 1):
        for camera in (0, 1):
            rows = np.flatnonzero((store.sequence == sequence) & (store.camera == camera))
            write_film(
                root / "films" / "anna" / f"walk{sequence}-cam_{camera + 1}.mp4", store.frames_u8_at(rows)
            )
    return root / "films", store.cameras[:2], store


def tables(cameras: Any, metres: bool, bent: Any = ()) -> dict[str, dict[str, Any]]:
    return {
        f"cam_{number}": {
            "matrix": camera.intrinsics - HALF,
            "distortions": np.array(bent),
            "rotation": cv2.Rodrigues(camera.rotation)[0].ravel(),
            "translation": camera.translation / (1000 if metres else 1),
        }
        for number, camera in enumerate(cameras, 1)
    }


def write_toml(path: Path, cameras: Any, metres: bool, bent: Any = ()) -> Path:
    """As Anipose (mm) and Pose2Sim (m) do."""
    lines = []
    for name, table in tables(cameras, metres, bent).items():
        lines += [f"[{'int_' if metres else ''}{name}]", f'name = "{name}"', f"size = [ {SIDE}, {SIDE}]"]
        lines += [f"{key} = {np.asarray(value).tolist()}" for key, value in table.items()]
        lines += ["fisheye = false", ""]
    path.write_text("\n".join([*lines, "[metadata]", "adjusted = false", "error = 0.0"]) + "\n")
    return path


def write_yaml(folder: Path, cameras: Any, kind: str) -> Path:
    """OpenCV's file a camera, all cameras in one, or EasyMocap's pair."""
    folder.mkdir()
    first = cv2.FileStorage(
        str(folder / ("intri.yml" if kind == "pair" else "all.yml")), cv2.FILE_STORAGE_WRITE
    )
    second = cv2.FileStorage(str(folder / "extri.yml"), cv2.FILE_STORAGE_WRITE) if kind == "pair" else first
    for number, camera in enumerate(cameras, 1):
        name = f"cam_{number}"
        if kind == "folder":
            one = cv2.FileStorage(str(folder / f"{name}.yml"), cv2.FILE_STORAGE_WRITE)
            for key, value in (
                ("camera_matrix", camera.intrinsics - HALF),
                ("distortion_coefficients", np.zeros((5, 1))),
                ("R", camera.rotation),
                ("T", camera.translation[:, None]),
            ):
                one.write(key, value)
            one.release()
            continue
        first.write(f"K_{name}", camera.intrinsics - HALF)
        first.write(f"dist_{name}", np.zeros((1, 5)))
        second.write(f"R_{name}", cv2.Rodrigues(camera.rotation)[0])
        second.write(f"Rot_{name}", camera.rotation)
        second.write(f"T_{name}", camera.translation[:, None] / 1000)
    first.release()
    second.release()
    if kind == "folder":
        (folder / "all.yml").unlink()
        return folder
    return folder / ("intri.yml" if kind == "pair" else "all.yml")


@pytest.mark.parametrize("kind", ["anipose", "pose2sim", "folder", "one", "pair"])
def test_every_kind_of_calibration_comes_back(filmed: Any, tmp_path: Path, kind: str) -> None:
    _, cameras, _ = filmed
    if kind in ("anipose", "pose2sim"):
        path = write_toml(tmp_path / "calibration.toml", cameras, kind == "pose2sim")
    else:
        path = write_yaml(tmp_path / "yaml", cameras, kind)
    found = read_cameras(path)
    assert list(found) == ["cam_1", "cam_2"]
    for calibrated, true in zip(found.values(), cameras, strict=True):
        assert calibrated.lens is None
        np.testing.assert_allclose(calibrated.camera.intrinsics, true.intrinsics, rtol=1e-9)
        np.testing.assert_allclose(calibrated.camera.rotation, true.rotation, atol=1e-9)
        np.testing.assert_allclose(calibrated.camera.translation, true.translation, atol=1e-6)


def test_films_come_in_matched_and_nsd_trains_on_them(filmed: Any, tmp_path: Path) -> None:
    """By the documented commands alone."""
    films, cameras, true = filmed
    calibration = write_toml(tmp_path / "calibration.toml", cameras, metres=True)
    data, run = str(tmp_path / "data"), str(tmp_path / "run")
    command = [
        "data",
        "import",
        "cameras",
        str(films),
        "--calibration",
        str(calibration),
        "--out",
        data,
        "--json",
    ]
    result = CliRunner().invoke(app, [*command, "--workers", "1"])
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert (facts["clips"], facts["views"], facts["bad_clips"]) == (2, 4, [])
    store = PackedStore.open(Path(data))
    assert set(store.subject) == {"anna"} and set(store.action) == {"anna walk0", "anna walk1"}
    for row in range(0, len(store), 7):
        same = (true.sequence == store.sequence[row]) & (true.camera == store.camera[row])
        frame = true.frames[np.flatnonzero(same & (true.frame == store.frame[row]))[0]]
        assert np.abs(frame.astype(int) - store.frames[row]).mean() < 6
        assert store.time[row] == pytest.approx(store.frame[row] / 10, abs=1e-3)
    trained = CliRunner().invoke(
        app, ["train", data, "--out", run, "--preset", "tiny", "--steps", "2", "--batch", "8"]
    )
    assert trained.exit_code == 0, trained.stderr
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_frames_are_matched_by_time_not_by_number(tmp_path: Path, filmed: Any) -> None:
    """One camera drops frames, the other films twice as fast."""
    _, cameras, _ = filmed
    grey = np.repeat(np.arange(0, 240, 10, np.uint8)[:, None, None, None], 3, axis=-1)
    frames = np.broadcast_to(grey, (24, SIDE, SIDE, 3))
    stamps = np.delete(np.arange(24) * 3, [4, 5, 13])
    write_film(tmp_path / "films" / "a_cam_1.mp4", np.delete(frames, [4, 5, 13], axis=0), stamps)
    fast = np.repeat(frames, 2, axis=0)[:47]
    write_film(tmp_path / "films" / "a_cam_2.mp4", fast, np.round(np.arange(47) * 1.5), rate=20)
    catalogue = read_own_cameras(tmp_path / "films", write_toml(tmp_path / "c.toml", cameras, True))
    slow, quick = catalogue.views
    rate = slow.fps
    assert rate == quick.fps and rate == pytest.approx(10, rel=0.2)
    for view in (slow, quick):
        assert view.times is not None
        assert np.abs(view.times * rate - view.numbers).max() <= 0.5 + 1e-6
        assert len(np.unique(view.numbers)) == len(view.numbers)
    shared, one, other = np.intersect1d(slow.numbers, quick.numbers, return_indices=True)
    assert len(shared) >= 15 and slow.times is not None and quick.times is not None
    assert np.abs(slow.times[one] - quick.times[other]).max() <= 0.5 / rate + 1e-6


def test_a_lens_is_straightened(tmp_path: Path, pack: Any) -> None:
    """Dots that OpenCV projects through the bent lens lie where a pinhole puts them."""
    matrix = np.array([[180.0, 0, 96], [0, 180, 80], [0, 0, 1]])
    camera = Camera("cam_1", matrix, np.eye(3), np.zeros(3))
    points = np.array([(x, y, 1000.0) for x in (-380, -150, 150, 380) for y in (-300, 0, 300)])
    seen = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix - HALF, np.array(BENT))[0][:, 0]
    frames = np.zeros((6, 160, 192, 3), np.uint8)
    for u, v in seen:
        cv2.circle(frames[0], (round(16 * u), round(16 * v)), 3 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    frames[:] = frames[0]
    write_film(tmp_path / "films" / "cam_1.mp4", frames)
    path = write_toml(tmp_path / "c.toml", [camera], True, BENT)
    path.write_text(path.read_text().replace(f"[ {SIDE}, {SIDE}]", "[192, 160]"))
    found: list[np.ndarray] = []
    catalogue = read_own_cameras(tmp_path / "films", path)
    boxes = np.tile(np.array([1, 1, 0, 0], np.float32), (6, 1))
    catalogue = replace(catalogue, views=tuple(replace(view, boxes=boxes) for view in catalogue.views))
    store, _ = pack(catalogue, tmp_path / "store")
    image = np.asarray(store.frames[0]).astype(float).mean(-1)
    for u, v in camera.project(points):
        rows, columns = (slice(int(at) - 6, int(at) + 7) for at in (v, u))
        weights = image[rows, columns]
        down, across = np.mgrid[rows, columns]
        found.append(
            np.array([(across * weights).sum(), (down * weights).sum()]) / weights.sum() + 0.5 - (u, v)
        )
    assert np.abs(found).max() < 0.3 and np.abs(seen - camera.project(points)).max() > 3


def test_what_has_no_camera_is_named(filmed: Any, tmp_path: Path) -> None:
    _, cameras, _ = filmed
    path = write_toml(tmp_path / "c.toml", cameras, True)
    frames = np.zeros((3, 64, SIDE, 3), np.uint8)
    write_film(tmp_path / "films" / "dance_cam_1.mp4", np.zeros((3, SIDE, SIDE, 3), np.uint8))
    write_film(tmp_path / "films" / "dance_cam_2.mp4", frames)
    write_film(tmp_path / "films" / "dance_cam_12.mp4", frames)
    catalogue = read_own_cameras(tmp_path / "films", path)
    assert [view.camera for view in catalogue.views] == ["cam_1"]
    told = dict(catalogue.skipped)
    assert "96x64 pixels, calibrated at 96x96" in told["dance_cam_2.mp4"]
    assert "holds no name of a calibrated camera" in told["dance_cam_12.mp4"]


def test_calibrations_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no calibration file"):
        read_own_cameras(tmp_path)
    for name, text in (("a.toml", "x ="), ("b.toml", "[metadata]"), ("c.yml", "no: [yaml"), ("d.toml", "")):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(BrokenAnnotations, match=name):
            read_cameras(path)
    bad = tmp_path / "e.toml"
    numbers = "[[nan,0,0],[0,1,0],[0,0,1]]"
    bad.write_text(f"[a]\nmatrix = {numbers}\ndistortions=[]\nrotation=[0,0,0]\ntranslation=[0,0,0]\n")
    with pytest.raises(BrokenAnnotations, match="not finite"):
        read_cameras(bad)
    good = tmp_path / "f.toml"
    good.write_text(bad.read_text().replace("nan", "1"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotThisLayout):
        read_own_cameras(tmp_path / "empty", good)
