"""h36m-fetch's layout: what the tests write in it from the synthetic set comes back."""

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dpa.models.data.importers.catalogue import MissingCalibration, NotThisLayout
from dpa.models.data.importers.h36m_fetch import read_h36m_fetch
from dpa.models.frameworks.objective import SynchronisedViews

FRAMES = np.array([1, 6, 11, 16, 21, 64, 65, 200, 1001])
"""1-based and irregular, as h36m-fetch leaves them."""

NAMES = {"Photo": "TakingPhoto-1", "Walking": "Walking-2"}


def write_clip(root: Path, scene: Any, subject: str, action: str, *, turned: bool = False) -> None:
    shots = scene.of(subject, action)
    folder = root / "processed" / subject / NAMES[action]
    annotations: dict[str, np.ndarray] = {}
    poses = np.zeros((len(shots) * len(FRAMES), 32, 3))
    pixels = np.zeros((len(shots) * len(FRAMES), 32, 2))
    for n, shot in enumerate(shots):
        rows = slice(n * len(FRAMES), (n + 1) * len(FRAMES))
        poses[rows][:, scene.joints_32], pixels[rows][:, scene.joints_32] = shot.poses, shot.pixels
        k = scene.store.cameras[shot.camera].intrinsics
        annotations[f"intrinsics/{shot.number}"] = np.array([k[0, 0], k[0, 2], k[1, 1], k[1, 2]])
        for label, frame in zip(FRAMES, shot.frames, strict=True):
            scene.save(folder / "imageSequence" / shot.number / f"img_{label:06d}.jpg", frame)
    annotations["frame"] = np.tile(FRAMES, len(shots))
    annotations["camera"] = np.repeat([int(shot.number) for shot in shots], len(FRAMES))
    annotations["pose/3d"], annotations["pose/2d"] = poses, pixels
    with h5py.File(folder / "annot.h5", "w") as file:
        for name, values in annotations.items():
            file[name] = values.T if turned else values


@pytest.fixture(scope="module")
def tree(scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed: `changed` is a copy that may be."""
    folder: Path = tmp_path_factory.mktemp("h36m-fetch") / "src"
    for subject in ("S1", "S11"):
        for action in ("Photo", "Walking"):
            write_clip(folder, scene, subject, action, turned=subject == "S11")
    return folder


@pytest.fixture
def changed(tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / "src"))


@pytest.fixture(scope="module")
def imported(tree: Path, pack: Any) -> Any:
    """(store, report)"""
    return pack(read_h36m_fetch(tree), tree.parent / "store")


def test_everything_comes_back(scene: Any, imported: Any) -> None:
    store, report = imported
    assert len(store) == len(scene.store) and report.quarantined == () and report.skipped == ()
    assert (report.clips, report.views, store.size, store.fps) == (4, 16, (64, 64), 50.0)
    for shot in scene.shots:
        rows = scene.rows(store, shot)
        np.testing.assert_array_equal(store.frame[rows], FRAMES - 1)
        np.testing.assert_allclose(store.time[rows], (FRAMES - 1) / 50)
        np.testing.assert_allclose(store.poses[rows], shot.poses - shot.poses[:, :1], atol=1e-2)
        difference = np.abs(store.frames_u8_at(rows).astype(int) - shot.frames)
        assert difference.mean() < 3 and difference.max() < 40  # JPEG
        lens = store.cameras[store.camera[rows[0]]]
        np.testing.assert_allclose(lens.intrinsics, scene.store.cameras[shot.camera].intrinsics, rtol=1e-9)


def test_boxes_from_joints_hold_the_person(scene: Any, imported: Any) -> None:
    store, _ = imported
    ratios = []
    for shot in scene.shots:
        boxes = store.box[scene.rows(store, shot)]
        ratios.append(boxes[:, 0] / shot.boxes[:, 0])
        for mask, (sx, sy, tx, ty) in zip(shot.silhouettes, boxes, strict=True):
            inside = np.zeros_like(mask)
            left, right = ((tx + s * sx + 1) * 32 for s in (-1, 1))
            top, bottom = ((ty + s * sy + 1) * 32 for s in (-1, 1))
            inside[max(int(top), 0) : int(bottom) + 1, max(int(left), 0) : int(right) + 1] = True
            assert (mask & inside).sum() > 0.97 * mask.sum()
    assert 0.85 < np.median(np.concatenate(ratios)) < 1.2


def test_silhouettes_and_plates_by_the_temporal_median(scene: Any, imported: Any) -> None:
    store, _ = imported
    overlaps = []
    for shot in scene.shots:
        rows = scene.rows(store, shot)
        if shot.action != "Walking":  # who stands still is part of the median
            continue
        found = store.silhouettes(rows)
        both, either = (found & shot.silhouettes).sum(), (found | shot.silhouettes).sum()
        overlaps.append(both / either)
        true = scene.store.plates[shot.camera].astype(int)
        assert np.median(np.abs(store.plates[store.plate[rows[0]]].astype(int) - true)) <= 3
    assert np.mean(overlaps) > 0.5


def test_a_camera_has_one_plate_for_all_clips_of_a_subject(scene: Any, imported: Any) -> None:
    """And where the joints are comes along."""
    store, report = imported
    assert len(store.plates) == len(report.judged) / 2 == 8
    for shot in scene.shots:
        rows = scene.rows(store, shot)
        same = np.flatnonzero((store.camera == store.camera[rows[0]]) & (store.subject == shot.subject))
        frames = store.frames_u8_at(same)
        expected = np.percentile(frames, 50, axis=0, method="lower")
        np.testing.assert_array_equal(store.plates[store.plate[rows[0]]], expected)
        np.testing.assert_allclose(store.pixels[rows], shot.pixels, atol=1e-3)


def test_cameras_are_related_by_the_poses_that_they_share(scene: Any, imported: Any) -> None:
    """The oracle: the generator's cameras, seen from the first of them."""
    store, _ = imported
    first = scene.store.cameras[0]
    for camera in store.cameras:
        true = scene.store.cameras[scene.numbers.index(camera.name.split(".")[1])]
        rotation = true.rotation @ first.rotation.T
        np.testing.assert_allclose(camera.rotation, rotation, atol=1e-5)
        np.testing.assert_allclose(
            camera.translation, true.translation - rotation @ first.translation, atol=0.05
        )
    assert store.meta["extrinsics"] == "from the shared poses"


def test_extrinsics_from_a_published_file(scene: Any, tree: Path, pack: Any, tmp_path: Path) -> None:
    cameras = {
        number: {"R": camera.rotation.tolist(), "t": camera.translation[:, None].tolist()}
        for number, camera in zip(scene.numbers, scene.store.cameras, strict=True)
    }
    file = tmp_path / "camera-parameters.json"
    file.write_text(json.dumps({"extrinsics": {"S1": cameras, "S11": cameras}}))
    store, _ = pack(read_h36m_fetch(tree, file).only(("S1",), 1), tmp_path / "store")
    for shot in [*scene.of("S1", "Photo"), *scene.of("S1", "Walking")]:
        row = scene.rows(store, shot)[0]
        np.testing.assert_allclose(
            store.cameras[store.camera[row]].project(shot.world[0]), shot.pixels[0], atol=1e-6
        )
    file.write_text(json.dumps({"extrinsics": {"S1": cameras}}))
    with pytest.raises(MissingCalibration, match="S11 54138969"):
        read_h36m_fetch(tree, file)


def test_cameras_of_one_clip_share_its_sequence(imported: Any) -> None:
    store, _ = imported
    for sequence in range(4):
        rows = np.flatnonzero(store.sequence == sequence)
        assert len(rows) == 36 and len(np.unique(store.camera[rows])) == 4
        assert len(np.unique(store.subject[rows])) == len(np.unique(store.action[rows])) == 1


def test_missing_and_damaged_files_are_named(scene: Any, changed: Path, pack: Any) -> None:
    folder = changed / "processed" / "S1" / "TakingPhoto-1"
    gone = folder / "imageSequence" / scene.numbers[1] / "img_000011.jpg"
    gone.unlink()
    cut = folder / "imageSequence" / scene.numbers[2] / "img_000200.jpg"
    cut.write_bytes(cut.read_bytes()[:300])
    (changed / "processed" / "S11" / "Walking-2" / "annot.h5").write_bytes(b"not HDF5")
    store, report = pack(read_h36m_fetch(changed), changed.parent / "store")
    assert len(store) == 3 * 36 - 2
    assert {(bad.name, bad.reason.split(":")[0]) for bad in report.quarantined} == {
        (str(gone), "no such file"),
        (str(cut), "OSError"),
    }
    assert [name for name, _ in report.skipped] == ["S11 Walking-2"]
    rows = scene.rows(store, scene.of("S1", "Photo")[1])
    np.testing.assert_array_equal(store.frame[rows], np.delete(FRAMES - 1, 2))


def test_the_corrupt_clip_is_left_out_where_it_breaks_off(changed: Path) -> None:
    """Repaired at its source in 2020: whole pictures are read."""
    folder = changed / "processed" / "S11" / "Directions-2"
    folder.with_name("Walking-2").rename(folder)
    assert read_h36m_fetch(changed).skipped == ()
    (folder / "imageSequence" / "54138969" / "img_001001.jpg").unlink()
    catalogue = read_h36m_fetch(changed)
    assert "breaks off: 8 of 9 frames" in catalogue.skipped[0][1]
    assert [name for name, _ in catalogue.skipped] == ["S11 Directions 2 S11.54138969"]
    assert len(catalogue.views) == 15


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotThisLayout, match=r"annot\.h5"):
        read_h36m_fetch(tmp_path)


def test_training_draws_from_it(imported: Any) -> None:
    """Two cameras at each of two instants of one sequence, as NSD needs them."""
    store, _ = imported
    drawn = SynchronisedViews(store, np.arange(len(store)))(8, np.random.default_rng(0)).reshape(2, 2, 2)
    for group in drawn:
        assert len(np.unique(store.sequence[group])) == 1
        assert (store.frame[group[:, 0]] == store.frame[group[:, 1]]).all()
        assert (store.camera[group[:, 0]] != store.camera[group[:, 1]]).all()
        assert store.frame[group[0, 0]] != store.frame[group[1, 0]]
