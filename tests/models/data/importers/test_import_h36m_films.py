"""Human3.6M's original films: with the download's own CDF files, and with VideoPose3D's npz."""

import json
import shutil
from pathlib import Path
from typing import Any

import av
import cdflib.cdfwrite
import numpy as np
import pytest

from dpa.models.data.importers.annotation_files import load_object
from dpa.models.data.importers.catalogue import BrokenAnnotations, NotThisLayout, RefusedPickle
from dpa.models.data.importers.h36m_films import read_h36m_raw, read_h36m_videopose
from dpa.models.errors import InputError

SPELLED = {("S1", "Photo"): "TakingPhoto 1", ("S11", "Photo"): "Directions"}


def spelled(shot: Any) -> str:
    """As the films are named; one clip takes the place of the one that was corrupt."""
    return SPELLED.get((shot.subject, shot.action), shot.action)


def write_film(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=50)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 20_000_000
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def write_cdf(path: Path, points: np.ndarray) -> None:
    """Pose [1, n, 32·axes] of the 17 joints at their places among the 32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = points.reshape(1, len(points), -1).astype(np.float32)
    spec = {
        "Variable": "Pose",
        "Data_Type": 44,
        "Num_Elements": 1,
        "Rec_Vary": True,
        "Dim_Sizes": values.shape[1:],
    }
    with cdflib.cdfwrite.CDF(str(path), cdf_spec={"Compressed": 0}) as file:
        file.write_var(spec, var_data=values)


@pytest.fixture(scope="module")
def tree(scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films with both kinds of poses, and the calibration that goes round."""
    root: Path = tmp_path_factory.mktemp("films") / "src"
    positions: dict[str, dict[str, np.ndarray]] = {}
    for shot in scene.shots:
        stem = f"{spelled(shot)}.{shot.number}"
        write_film(root / shot.subject / "Videos" / f"{stem}.mp4", shot.frames)
        for kind, points in (("D3_Positions_mono", shot.poses), ("D2_Positions", shot.pixels)):
            full = np.zeros((len(points), 32, points.shape[-1]))
            full[:, scene.joints_32] = points
            write_cdf(root / shot.subject / "MyPoseFeatures" / kind / f"{stem}.cdf", full)
        world = np.zeros((len(shot.world), 32, 3), np.float32)
        world[:, scene.joints_32] = shot.world / 1000
        positions.setdefault(shot.subject, {})[spelled(shot)] = world
    (root / "S1" / "Videos" / "_ALL 1.54138969.mp4").write_bytes(b"a film of all")
    np.savez_compressed(root / "data_3d_h36m.npz", positions_3d=np.array(positions, dtype=object))
    cameras = dict(zip(scene.numbers, scene.store.cameras, strict=True))
    placed = {n: {"R": c.rotation.tolist(), "t": c.translation[:, None].tolist()} for n, c in cameras.items()}
    inside = {n: {"calibration_matrix": c.intrinsics.tolist()} for n, c in cameras.items()}
    document = {"intrinsics": inside, "extrinsics": {"S1": placed, "S11": placed}}
    (root.parent / "camera-parameters.json").write_text(json.dumps(document))
    return root


@pytest.mark.parametrize("layout", ["raw", "raw with a file", "videopose"])
def test_everything_comes_back(scene: Any, tree: Path, pack: Any, tmp_path: Path, layout: str) -> None:
    calibration = tree.parent / "camera-parameters.json"
    read = read_h36m_videopose if layout == "videopose" else read_h36m_raw
    catalogue = read(tree, None if layout == "raw" else calibration)
    assert catalogue.skipped == ()
    store, report = pack(catalogue, tmp_path / "store")
    assert len(store) == len(scene.store) and report.quarantined == () and store.fps == 50
    assert set(store.action) == {"Photo", "Directions", "Walking"}
    for shot in scene.shots:
        action = {"TakingPhoto 1": "Photo"}.get(spelled(shot), spelled(shot))
        named = np.array([c.name == f"{shot.subject}.{shot.number}" for c in store.cameras])[store.camera]
        rows = np.flatnonzero(named & (store.action == action))
        assert np.abs(store.frames_u8_at(rows).astype(int) - shot.frames).mean() < 5
        np.testing.assert_array_equal(store.frame[rows], np.arange(9))
        np.testing.assert_allclose(store.time[rows], np.arange(9) / 50, atol=1e-3)
        np.testing.assert_allclose(store.poses[rows], shot.poses - shot.poses[:, :1], atol=0.05)
        np.testing.assert_allclose(store.pixels[rows], shot.pixels, atol=0.01)
        lens = store.cameras[store.camera[rows[0]]]
        true = scene.store.cameras[shot.camera]
        np.testing.assert_allclose(lens.intrinsics, true.intrinsics, rtol=1e-3)
        if layout != "raw":
            np.testing.assert_allclose(lens.rotation, true.rotation, atol=1e-9)


def test_the_once_corrupt_film_is_judged_by_what_it_holds(scene: Any, tree: Path, tmp_path: Path) -> None:
    """Whole, it is read; broken off, as any other film, it is named."""
    source = Path(shutil.copytree(tree, tmp_path / "src"))
    shots = scene.of("S11", "Photo")
    write_film(source / "S11" / "Videos" / f"Directions.{shots[0].number}.mp4", shots[0].frames[:5])
    (name, why), *others = read_h36m_raw(source).skipped
    assert name == f"S11 Directions {shots[0].number}" and "breaks off: 5 of 9 frames" in why and not others


def test_what_is_missing_or_damaged_is_named(tree: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tree, tmp_path / "src"))
    poses = source / "S1" / "MyPoseFeatures" / "D3_Positions_mono"
    (poses / "Walking.54138969.cdf").unlink()
    (poses / "Walking.55011271.cdf").write_bytes(b"no CDF")
    (source / "S11" / "Videos" / "Walking.58860488.mp4").write_bytes(b"no film")
    catalogue = read_h36m_raw(source)
    names = ["S1 Walking 54138969", "S1 Walking 55011271", "S11 Walking 58860488"]
    assert [name for name, _ in catalogue.skipped] == names
    assert len(catalogue.views) + len(catalogue.skipped) == 16
    positions = load_object(source / "data_3d_h36m.npz", "positions_3d")
    del positions["S1"]["Walking"]
    np.savez(source / "data_3d_h36m.npz", positions_3d=np.array(positions, dtype=object))
    skipped = read_h36m_videopose(source, tree.parent / "camera-parameters.json").skipped
    assert len(skipped) == 5 and "no poses" in skipped[0][1]


def test_other_folders_and_no_calibration_are_told(tree: Path, tmp_path: Path) -> None:
    for read in (read_h36m_raw, read_h36m_videopose):
        with pytest.raises(NotThisLayout, match=r"Videos/Directions 1\.54138969\.mp4"):
            read(tmp_path)
    with pytest.raises(InputError, match="--extrinsics"):
        read_h36m_videopose(tree)


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_an_npz_of_objects_is_read_without_running_it(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, positions_3d=np.array({"S1": Touch(tmp_path / "touched")}, dtype=object))
    with pytest.raises(RefusedPickle, match="asks for"):
        load_object(path, "positions_3d")
    assert not (tmp_path / "touched").exists()
    np.savez(path, positions_3d=np.zeros(3), several=np.array([{}, {}], dtype=object))
    for name in ("positions_3d", "several", "absent"):
        with pytest.raises(BrokenAnnotations, match=r"a\.npz"):
            load_object(path, name)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BrokenAnnotations, match=r"a\.npz"):
        load_object(path, "positions_3d")
