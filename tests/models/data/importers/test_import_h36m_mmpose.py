"""mmpose's layout: what the tests write in it from the synthetic set comes back."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpa.models.data.importers.catalogue import (
    BrokenAnnotations,
    MissingCalibration,
    NotThisLayout,
    RefusedPickle,
)
from dpa.models.data.importers.h36m_mmpose import read_h36m_mmpose

STEP = 5
SPELLED = {("S1", "Photo"): "TakingPhoto_1", ("S11", "Photo"): "Directions"}


def spelled(shot: Any) -> str:
    """As mmpose spells it; one clip takes the place of the corrupt one."""
    return SPELLED.get((shot.subject, shot.action), shot.action)


@pytest.fixture(scope="module")
def tree(scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("mmpose") / "src"
    cameras = {}
    for subject in ("S1", "S11"):
        for number, lens in zip(scene.numbers, scene.store.cameras, strict=True):
            k = lens.intrinsics
            cameras[subject, number] = {
                "R": lens.rotation.T,  # camera to world
                "T": (-lens.rotation.T @ lens.translation / 1000)[:, None],
                "f": np.array([[k[0, 0]], [k[1, 1]]]),
                "c": np.array([[k[0, 2]], [k[1, 2]]]),
                "k": np.zeros((3, 1)),
                "p": np.zeros((2, 1)),
                "w": 64,
                "h": 64,
                "name": "camera",
                "id": number,
            }
    folder = root / "annotation_body3d"
    (folder / "fps10").mkdir(parents=True)
    (folder / "cameras.pkl").write_bytes(pickle.dumps(cameras, 3))
    for split, subject in (("train", "S1"), ("test", "S11")):
        rows: dict[str, list[Any]] = {"imgname": [], "center": [], "scale": [], "S": []}
        for shot in [one for one in scene.shots if one.subject == subject]:
            base = f"{subject}_{spelled(shot)}.{shot.number}"
            for n, frame in enumerate(shot.frames):
                name = f"{subject}/{base}/{base}_{n * STEP + 1:05d}.jpg"
                scene.save(root / "images" / name, frame)
                sx, _, tx, ty = shot.boxes[n]
                rows["imgname"].append(name)
                rows["center"].append([(tx + 1) * 32, (ty + 1) * 32])
                rows["scale"].append(sx * 64 / 200)
                rows["S"].append(np.concatenate([shot.poses[n] / 1000, np.ones((17, 1))], axis=1))
        shuffled = np.random.default_rng(1).permutation(len(rows["scale"]))
        arrays = {key: np.array(values)[shuffled] for key, values in rows.items()}
        np.savez(folder / "fps10" / f"h36m_{split}.npz", **arrays)
    return root


@pytest.fixture
def changed(tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / "src"))


def test_everything_comes_back(scene: Any, tree: Path, pack: Any) -> None:
    catalogue = read_h36m_mmpose(tree)
    assert catalogue.skipped == ()
    store, report = pack(catalogue, tree.parent / "store")
    assert len(store) == 16 * 9 and report.quarantined == ()
    for shot in scene.shots:
        if spelled(shot) == "Directions":
            continue
        rows = scene.rows(store, shot)
        np.testing.assert_array_equal(store.frame[rows], np.arange(9) * STEP)
        np.testing.assert_allclose(store.time[rows], np.arange(9) / 10)
        np.testing.assert_allclose(store.poses[rows], shot.poses - shot.poses[:, :1], atol=1e-2)
        np.testing.assert_allclose(store.box[rows], shot.boxes, atol=1e-5)
        assert np.abs(store.frames_u8_at(rows).astype(int) - shot.frames).mean() < 3
        lens = store.cameras[store.camera[rows[0]]]
        np.testing.assert_allclose(lens.project(shot.world), shot.pixels, atol=1e-5)
    assert set(store.action) == {"Photo", "Walking", "Directions"}


def test_a_malicious_cameras_file_is_refused(changed: Path) -> None:
    (changed / "annotation_body3d" / "cameras.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(RefusedPickle, match=r"posix\.system"):
        read_h36m_mmpose(changed)


def test_a_camera_without_calibration_is_named(changed: Path) -> None:
    path = changed / "annotation_body3d" / "cameras.pkl"
    cameras = pickle.loads(path.read_bytes())
    del cameras["S11", "60457274"]
    path.write_bytes(pickle.dumps(cameras))
    with pytest.raises(MissingCalibration, match="S11 60457274"):
        read_h36m_mmpose(changed)


def test_annotations_that_do_not_fit_are_named(changed: Path) -> None:
    path = changed / "annotation_body3d" / "fps10" / "h36m_test.npz"
    path.write_bytes(path.read_bytes()[:1000])
    catalogue = read_h36m_mmpose(changed)
    assert {view.subject for view in catalogue.views} == {"S1"}
    assert [name for name, _ in catalogue.skipped] == ["fps10/h36m_test.npz"]
    path.with_name("h36m_train.npz").unlink()
    with pytest.raises(BrokenAnnotations, match=r"h36m_test\.npz"):
        read_h36m_mmpose(changed)
    others = {"center": np.zeros((1, 2)), "scale": np.ones(1), "S": np.ones((1, 17, 4))}
    np.savez(path, imgname=np.array(["a.jpg"]), **others)
    with pytest.raises(BrokenAnnotations, match=r"a\.jpg"):
        read_h36m_mmpose(changed)
    np.savez(path, imgname=np.array(["a.jpg"], object), **others)
    with pytest.raises(BrokenAnnotations, match="allow_pickle"):
        read_h36m_mmpose(changed)


def test_each_frame_once_where_the_originals_lie_beside(tree: Path, changed: Path) -> None:
    """As mmpose's own guide leaves them; without the others, the originals are read."""
    folder = changed / "annotation_body3d" / "fps10"
    frames = read_h36m_mmpose(tree).frames()
    for part in ("train", "test"):
        shutil.copy(folder / f"h36m_{part}.npz", folder / f"h36m_{part}_original.npz")
    assert read_h36m_mmpose(changed).frames() == frames
    for part in ("train", "test"):
        (folder / f"h36m_{part}.npz").unlink()
    assert read_h36m_mmpose(changed).frames() == frames


def test_a_frame_that_is_listed_twice_comes_once(tree: Path, changed: Path) -> None:
    path = changed / "annotation_body3d" / "fps10" / "h36m_train.npz"
    with np.load(path) as archive:
        twice = {name: np.concatenate([archive[name]] * 2) for name in archive.files}
    np.savez(path, **twice)
    assert read_h36m_mmpose(changed).frames() == read_h36m_mmpose(tree).frames()


def test_the_rate_is_taken_whose_pictures_are_there(tree: Path, changed: Path) -> None:
    folder = changed / "annotation_body3d"
    shutil.copytree(folder / "fps10", folder / "fps50")
    for part in ("train", "test"):
        path = folder / "fps50" / f"h36m_{part}.npz"
        with np.load(path) as archive:
            arrays = {name: archive[name] for name in archive.files}
        between = [name.replace("_000", "_9") for name in arrays["imgname"]]
        np.savez(path, **{**arrays, "imgname": np.array(between)})
    found = read_h36m_mmpose(changed)
    assert found.frames() == read_h36m_mmpose(tree).frames()
    assert all(view.pictures.path(0).is_file() for view in found.views)


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotThisLayout, match="annotation_body3d"):
        read_h36m_mmpose(tmp_path)
