"""UGA's and NSD's layout: crops with a background each, full frames with one, lossless where they are PNG."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dpa.models.data.importers.catalogue import BrokenAnnotations, NotThisLayout
from dpa.models.data.importers.h36m_multiview import read_h36m_multiview

FRAMES = np.array([0, 1, 2, 10, 11, 40, 41, 100, 120])
"""From 0, with gaps."""


def write(root: Path, scene: Any, *, crops: bool, turned: bool = False, metres: bool = False) -> None:
    """crops: the synthetic frames stand for crops; their plates carry the frame's number in a corner."""
    labels: dict[str, list[Any]] = {
        name: [] for name in ("subj", "seq", "cam", "frame", "3D", "rotation", "intrinsic_crop")
    }
    for shot in scene.shots:
        sequence = 2 * ("S1", "S11").index(shot.subject) + ("Photo", "Walking").index(shot.action)
        folder = root / f"seq_{sequence:03d}" / f"cam_{shot.camera:02d}"
        lens = scene.store.cameras[shot.camera]
        plate = scene.store.plates[shot.camera]
        for n, frame in enumerate(FRAMES):
            if crops:
                marked = plate.copy()
                marked[0, 0] = frame
                scene.save(folder / f"img_crop_{frame:06d}.png", shot.frames[n])
                scene.save(folder / f"bg_crop_{frame:06d}.png", marked)
            else:
                scene.save(folder / f"img_{frame:06d}.jpg", shot.frames[n])
            labels["subj"].append(int(shot.subject[1:]))
            labels["seq"].append(sequence)
            labels["cam"].append(shot.camera)
            labels["frame"].append(frame)
            labels["3D"].append((shot.poses[n] - shot.poses[n, :1]) / (1000 if metres else 1))
            labels["rotation"].append(lens.rotation)
            labels["intrinsic_crop"].append(lens.intrinsics)
        if not crops and shot.subject == "S1":
            scene.save(folder / "bg.jpg", plate)
    arrays = {name: np.array(values) for name, values in labels.items()}
    rotation = arrays.pop("rotation")
    if crops:
        arrays["extrinsic_rot"] = rotation
    else:
        arrays["R_cam_2_world"] = rotation.transpose(0, 2, 1)
        arrays["subj"] = arrays["subj"][:, None]
        del arrays["intrinsic_crop"]
    with h5py.File(root / "labels.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values.T if turned else values


@pytest.fixture(scope="module")
def crops(scene: Any, pack: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("multiview") / "H36M-MultiView-train"
    write(root, scene, crops=True, metres=True)
    (root / "seq_001" / "cam_02" / "bg_crop_000010.png").unlink()
    return *pack(read_h36m_multiview(root.parent), root.parent / "store"), root


def rows(store: Any, shot: Any) -> np.ndarray:
    sequence = ("Photo", "Walking").index(shot.action) + 2 * ("S1", "S11").index(shot.subject)
    camera = [one.name for one in store.cameras].index(f"{shot.subject}.cam_{shot.camera:02d}")
    found: np.ndarray = np.flatnonzero((store.camera == camera) & (store.sequence % 2 == sequence % 2))
    return found


def test_crops_come_back_without_loss(scene: Any, crops: Any) -> None:
    store, report, root = crops
    missing = root / "seq_001" / "cam_02" / "bg_crop_000010.png"
    assert [(bad.name, bad.reason) for bad in report.quarantined] == [(str(missing), "plate: no such file")]
    assert len(store) == len(scene.store) - 1 and set(store.action) == {"unknown"}
    for shot in scene.shots:
        here = rows(store, shot)
        kept = np.isin(FRAMES, store.frame[here])
        assert kept.sum() == (8 if (shot.subject, shot.action, shot.camera) == ("S1", "Walking", 2) else 9)
        np.testing.assert_array_equal(store.frames_u8_at(here), shot.frames[kept])
        relative = shot.poses - shot.poses[:, :1]
        np.testing.assert_allclose(store.poses[here], relative[kept], atol=1e-2)
        np.testing.assert_allclose(store.time[here], FRAMES[kept] / 50)
        lens = store.cameras[store.camera[here[0]]]
        np.testing.assert_array_equal(lens.rotation, scene.store.cameras[shot.camera].rotation)
        np.testing.assert_array_equal(lens.intrinsics, scene.store.cameras[shot.camera].intrinsics)


def test_every_crop_has_its_own_plate_and_is_all_box(scene: Any, crops: Any) -> None:
    store, _, _ = crops
    assert len(store.plates) == len(store)
    np.testing.assert_array_equal(store.plates[store.plate][:, 0, 0, 0], store.frame)
    np.testing.assert_array_equal(store.box, np.tile(np.float32([1, 1, 0, 0]), (len(store), 1)))
    shares = []
    for shot in scene.shots:
        found = store.silhouettes(rows(store, shot))
        true = shot.silhouettes[np.isin(FRAMES, store.frame[rows(store, shot)])]
        shares.append(((found & true).sum() / true.sum(), (found & true).sum() / found.sum()))
    recall, precision = np.mean(shares, axis=0)
    assert recall > 0.75 and precision > 0.6


def test_full_frames_by_background_subtraction(scene: Any, pack: Any, tmp_path: Path) -> None:
    """Reversed axes, camera-to-world rotations; bg.jpg for S1, a median for S11.

    Of S11's Photo, who stands still and so is part of the median, pictures are told as empty."""
    write(tmp_path / "src", scene, crops=False, turned=True)
    store, report = pack(read_h36m_multiview(tmp_path / "src"), tmp_path / "store")
    assert {bad.reason for bad in report.quarantined} <= {"nobody to be seen"}
    assert all("seq_002" in bad.name for bad in report.quarantined)
    centres = []
    for shot in scene.shots:
        if (shot.subject, shot.action) == ("S11", "Photo"):
            continue
        here = rows(store, shot)
        lens = store.cameras[store.camera[here[0]]]
        np.testing.assert_allclose(lens.rotation, scene.store.cameras[shot.camera].rotation)
        kept = np.isin(FRAMES, store.frame[here])
        relative = shot.poses - shot.poses[:, :1]
        np.testing.assert_allclose(store.poses[here], relative[kept], atol=1e-2)
        if shot.subject == "S1":  # whose plates show nobody
            assert kept.all()
            centres.append(np.abs(store.box[here][:, 2:] - shot.boxes[:, 2:]).max(axis=1))
            assert (
                np.abs(
                    store.plates[store.plate[here[0]]].astype(int) - scene.store.plates[shot.camera]
                ).mean()
                < 3
            )
    assert np.median(np.concatenate(centres)) < 0.1  # of half the frame


def test_labels_of_another_shape_are_named(scene: Any, tmp_path: Path) -> None:
    write(tmp_path, scene, crops=True)
    for name, values, message in (
        ("3D", np.zeros((3, 7)), "'3D' of shape"),
        ("subj", np.zeros((144, 2)), "one person a frame"),
        ("cam", np.zeros(3), "'cam' of shape"),
    ):
        with h5py.File(tmp_path / "labels.h5", "r+") as file:
            kept = file[name][()]
            del file[name]
            file[name] = values
        with pytest.raises(BrokenAnnotations, match=message):
            read_h36m_multiview(tmp_path)
        with h5py.File(tmp_path / "labels.h5", "r+") as file:
            del file[name]
            file[name] = kept
    with h5py.File(tmp_path / "labels.h5", "r+") as file:
        del file["extrinsic_rot"]
    with pytest.raises(BrokenAnnotations, match="no rotation"):
        read_h36m_multiview(tmp_path)
    with h5py.File(tmp_path / "labels.h5", "r+") as file:
        del file["frame"]
    with pytest.raises(BrokenAnnotations, match="no data set 'frame'"):
        read_h36m_multiview(tmp_path)


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotThisLayout, match=r"labels\.h5"):
        read_h36m_multiview(tmp_path)
