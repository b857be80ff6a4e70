"""mks0601's layout: what the tests write in it from the synthetic set comes back, in both readings of t."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpa.models.data.importers.catalogue import NotThisLayout
from dpa.models.data.importers.h36m_mks import read_h36m_mks

ACTION = {"Photo": 12, "Walking": 14}
"""Human3.6M's own numbers of them."""


def write_subject(root: Path, scene: Any, subject: str, *, position: bool) -> None:
    """position: t is where the camera stands, else the translation."""
    images, annotations, joints, cameras = [], [], {}, {}
    number = int(subject[1:])
    for index, lens in enumerate(scene.store.cameras):
        k = lens.intrinsics
        t = -lens.rotation.T @ lens.translation if position else lens.translation
        cameras[str(index + 1)] = {
            "R": lens.rotation.tolist(),
            "t": t.tolist(),
            "f": [k[0, 0], k[1, 1]],
            "c": [k[0, 2], k[1, 2]],
        }
    for shot in [one for one in scene.shots if one.subject == subject]:
        action = ACTION[shot.action]
        joints[str(action)] = {"1": {str(n): pose.tolist() for n, pose in enumerate(shot.world)}}
        base = f"s_{number:02d}_act_{action:02d}_subact_01_ca_{shot.camera + 1:02d}"
        for n, frame in enumerate(shot.frames):
            name = f"{base}/{base}_{n + 1:06d}.jpg"
            scene.save(root / "images" / name, frame)
            images.append(
                {
                    "id": len(images),
                    "file_name": name,
                    "width": 64,
                    "height": 64,
                    "subject": number,
                    "action_idx": action,
                    "subaction_idx": 1,
                    "cam_idx": shot.camera + 1,
                    "frame_idx": n,
                }
            )
            low, high = shot.pixels[n].min(axis=0), shot.pixels[n].max(axis=0)
            annotations.append({"image_id": len(images) - 1, "bbox": [*low.tolist(), *(high - low).tolist()]})
    folder = root / "annotations"
    folder.mkdir(exist_ok=True)
    for what, value in (
        ("data", {"images": images, "annotations": annotations}),
        ("camera", cameras),
        ("joint_3d", joints),
    ):
        (folder / f"Human36M_subject{number}_{what}.json").write_text(json.dumps(value))


@pytest.fixture(scope="module")
def tree(scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("mks") / "src"
    write_subject(root, scene, "S1", position=False)
    write_subject(root, scene, "S11", position=True)
    return root


@pytest.fixture
def changed(tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / "src"))


def test_everything_comes_back(scene: Any, tree: Path, pack: Any) -> None:
    store, report = pack(read_h36m_mks(tree), tree.parent / "store")
    assert len(store) == len(scene.store) and report.quarantined == report.skipped == ()
    for shot in scene.shots:
        rows = scene.rows(store, shot)
        np.testing.assert_array_equal(store.frame[rows], np.arange(9))
        np.testing.assert_allclose(store.poses[rows], shot.poses - shot.poses[:, :1], atol=1e-2)
        assert np.abs(store.frames_u8_at(rows).astype(int) - shot.frames).mean() < 3
        lens = store.cameras[store.camera[rows[0]]]
        np.testing.assert_allclose(lens.project(shot.world), shot.pixels, atol=1e-6)
        low, high = shot.pixels.min(axis=1), shot.pixels.max(axis=1)
        np.testing.assert_allclose((store.box[rows, 2:] + 1) * 32, (low + high) / 2, atol=1e-3)
        np.testing.assert_allclose(store.box[rows, 0] * 64, (high - low).max(axis=1) * 1.15, rtol=1e-5)


def test_pictures_without_joints_are_left_out_and_told(changed: Path) -> None:
    path = changed / "annotations" / "Human36M_subject1_joint_3d.json"
    joints = json.loads(path.read_text())
    del joints["14"]["1"]["3"], joints["14"]["1"]["7"]
    path.write_text(json.dumps(joints))
    catalogue = read_h36m_mks(changed)
    views = [view for view in catalogue.views if view.motion == ("S1", "Walking", "1")]
    assert [view.numbers.tolist() for view in views] == [[0, 1, 2, 4, 5, 6, 8]] * 4
    assert len(catalogue.skipped) == 4 and "2 of its pictures" in catalogue.skipped[0][1]


@pytest.mark.parametrize("what", ["data", "camera", "joint_3d"])
def test_a_subject_whose_file_is_broken_is_skipped_and_named(changed: Path, what: str) -> None:
    path = changed / "annotations" / f"Human36M_subject1_{what}.json"
    path.write_text(path.read_text()[:200])
    catalogue = read_h36m_mks(changed)
    assert {view.subject for view in catalogue.views} == {"S11"}
    assert [name for name, _ in catalogue.skipped] == ["S1"] and path.name in catalogue.skipped[0][1]


def test_cameras_that_fit_in_neither_reading_are_refused(changed: Path) -> None:
    path = changed / "annotations" / "Human36M_subject11_camera.json"
    cameras = json.loads(path.read_text())
    cameras["2"]["R"] = (-np.array(cameras["2"]["R"])).tolist()
    path.write_text(json.dumps(cameras))
    ((name, why),) = read_h36m_mks(changed).skipped
    assert name == "S11" and "S11.55011271 sees the joints outside" in why


def test_the_corrupt_clip_is_left_out_where_it_breaks_off(changed: Path) -> None:
    for what in ("data", "joint_3d"):
        path = changed / "annotations" / f"Human36M_subject11_{what}.json"
        text = path.read_text().replace('"14": {"1"', '"2": {"2"')
        old, new = '"action_idx": 14, "subaction_idx": 1', '"action_idx": 2, "subaction_idx": 2'
        path.write_text(text.replace(old, new))
    catalogue = read_h36m_mks(changed)
    assert catalogue.skipped == ()
    view = next(one for one in catalogue.views if one.name == "S11 Directions 2 S11.54138969")
    view.pictures.path(8).unlink()  # type: ignore[union-attr]  # pictures, as in the whole layout
    assert [name for name, _ in read_h36m_mks(changed).skipped] == ["S11 Directions 2 S11.54138969"]


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotThisLayout, match="Human36M_subject1_data"):
        read_h36m_mks(tmp_path)
