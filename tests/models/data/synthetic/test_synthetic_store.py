"""Generated sets: same bytes for any number of workers, joints inside silhouettes, outfits, crops, errors."""

import filecmp
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from dpa.models.data.contract import JOINT_NAMES
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.clip import ClipKey, take
from dpa.models.data.synthetic.config import SynthConfig, UnknownName
from dpa.models.data.synthetic.generate import clip_keys, generate

SIZE = 80
BASE = {
    "subjects": ("S1", "S6"),
    "actions": ("Walking", "Eating", "Posing"),
    "clips": 1,
    "frames": 3,
    "size": SIZE,
    "seed": 5,
    "workers": 1,
}
FILES = (
    "frames.u8",
    "silhouettes.bits",
    "plates.u8",
    "poses.f32",
    "index.parquet",
    "cameras.json",
    "manifest.json",
)


def config(**changes: object) -> SynthConfig:
    return SynthConfig.model_validate({**BASE, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "set"
    generate(config(), out)
    return out


@pytest.fixture(scope="module")
def store(folder: Path) -> PackedStore:
    return PackedStore.open(folder)


def silhouettes(store: PackedStore) -> np.ndarray:
    return np.asarray(store.silhouettes(np.arange(len(store.frames))))


def test_order_is_clip_frame_camera(store: PackedStore) -> None:
    keys = clip_keys(config())
    assert len(store.frames) == len(keys) * 3 * 4
    for i in range(len(store.frames)):
        key = keys[i // 12]
        assert (store.subject[i], store.action[i], store.outfit[i]) == (key.subject, key.action, key.outfit)
        assert (store.sequence[i], store.frame[i], store.camera[i]) == (i // 12, i // 4 % 3, i % 4)
        assert store.plate[i] == store.camera[i]
        assert store.time[i] == pytest.approx(store.frame[i] / 10)


def test_poses_are_the_joints_in_camera_axes(store: PackedStore) -> None:
    for i, key in enumerate(clip_keys(config())):
        world = take(key, 3, 10.0, 5).joints
        for k in range(12):
            camera = store.cameras[k % 4]
            seen = camera.to_camera(world[k // 4])
            np.testing.assert_allclose(store.poses[i * 12 + k], seen - seen[0], atol=1e-3)


def test_joints_project_into_the_silhouette(store: PackedStore) -> None:
    """Within one pixel (about 5 cm at this size), all 17 of them."""
    masks = silhouettes(store)
    for i, key in enumerate(clip_keys(config())):
        world = take(key, 3, 10.0, 5).joints
        for k in range(12):
            near = binary_dilation(masks[i * 12 + k], iterations=1)
            for name, (u, v) in zip(JOINT_NAMES, store.cameras[k % 4].project(world[k // 4]), strict=True):
                assert near[int(v), int(u)], (key, k, name)


def test_boxes_hold_the_silhouette_tightly(store: PackedStore) -> None:
    for mask, (sx, sy, tx, ty) in zip(silhouettes(store), store.box, strict=True):
        rows, columns = np.nonzero(mask)
        left, right = (tx - sx + 1) / 2 * SIZE, (tx + sx + 1) / 2 * SIZE
        top, bottom = (ty - sy + 1) / 2 * SIZE, (ty + sy + 1) / 2 * SIZE
        assert left <= columns.min() and columns.max() + 1 <= right
        assert top <= rows.min() and rows.max() + 1 <= bottom
        assert max(np.ptp(columns), np.ptp(rows)) + 1 > 0.75 * (right - left)


def test_frames_are_the_plate_outside_person_stool_and_shadow(store: PackedStore) -> None:
    """The upper fifth of a frame shows only the room: the plate and the sensor's noise (sigma 1.6)."""
    for i in range(0, len(store.frames), 5):
        assert not silhouettes(store)[i][: SIZE // 5].any()
        difference = store.frames[i].astype(int) - store.plates[store.plate[i]].astype(int)
        assert abs(difference[: SIZE // 5].mean()) < 0.5
        assert difference[: SIZE // 5].std() < 2.5
        assert np.abs(difference[silhouettes(store)[i]]).mean() > 15


def test_silhouettes_have_no_pin_holes(store: PackedStore) -> None:
    """Single bare pixels are rare: what is left are true gaps, such as between an arm and the waist."""
    lone = []
    for mask in silhouettes(store):
        beside = mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        lone.append((~mask[1:-1, 1:-1] & beside).sum())
    assert np.mean(lone) < 0.25


@pytest.mark.parametrize("workers", [2])
def test_same_bytes_for_any_number_of_workers(folder: Path, tmp_path: Path, workers: int) -> None:
    generate(config(workers=workers), tmp_path / "again")
    _, different, missing = filecmp.cmpfiles(folder, tmp_path / "again", FILES, shallow=False)
    assert different == [] and missing == []


def test_same_clip_whatever_else_is_generated(store: PackedStore, tmp_path: Path) -> None:
    other = generate(config(subjects=("S6",), actions=("Posing", "Eating")), tmp_path / "fewer")
    for action in ("Posing", "Eating"):
        a = store.select(subjects=["S6"], actions=[action])
        b = other.select(subjects=["S6"], actions=[action])
        np.testing.assert_array_equal(store.frames[a], other.frames[b])
        np.testing.assert_array_equal(store.poses[a], other.poses[b])


def test_another_outfit_changes_clothes_alone(store: PackedStore, tmp_path: Path) -> None:
    dressed = generate(config(outfit="S8"), tmp_path / "dressed")
    assert set(dressed.outfit) == {"S8"}
    for name in ("poses", "box", "plates", "frame", "camera", "sequence"):
        np.testing.assert_array_equal(getattr(store, name), getattr(dressed, name))
    own, other = silhouettes(store), silhouettes(dressed)
    both = own & other
    overlap = both.sum(axis=(1, 2)) / (own | other).sum(axis=(1, 2))
    assert overlap.min() > 0.75
    change = np.abs(store.frames.astype(int) - dressed.frames.astype(int))
    assert change[both].mean() > 20


def test_crops_are_the_boxes_of_the_same_moments(store: PackedStore, tmp_path: Path) -> None:
    crops = generate(config(crop_size=48, frames=1, subjects=("S1",)), tmp_path / "crops")
    assert crops.frames.shape == (12, 48, 48, 3) and crops.plates.shape == (12, 48, 48, 3)
    np.testing.assert_array_equal(crops.plate, np.arange(12))
    np.testing.assert_array_equal(crops.box, np.tile(np.float32([1, 1, 0, 0]), (12, 1)))
    same = [i for i in range(len(store.frames)) if store.subject[i] == "S1" and store.frame[i] == 0]
    np.testing.assert_array_equal(crops.poses, store.poses[same])
    for mask in silhouettes(crops):
        rows, columns = np.nonzero(mask)
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert extent / 48 == pytest.approx(1 / 1.15, abs=0.08)
        assert abs((rows.min() + rows.max() + 1) / 2 - 24) < 4
        assert abs((columns.min() + columns.max() + 1) / 2 - 24) < 4


def test_progress_counts_images(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    only = config(subjects=("S1",), actions=("Walking", "Posing"), frames=1)
    generate(only, tmp_path / "counted", lambda done, total: seen.append((done, total)))
    assert seen == [(4, 8), (8, 8)]


@pytest.mark.parametrize(
    ("field", "value", "near"),
    [("subjects", ("S10",), "S1"), ("actions", ("Wolking",), "Walking"), ("outfit", "S55", "S5")],
)
def test_unknown_names_are_refused_with_the_nearest_known_one(field: str, value: object, near: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{near}") as caught:
        config(**{field: value})
    assert caught.value.exit_code == 2


def test_names_may_be_written_in_any_case() -> None:
    assert config(actions=("walkdog", "WalkDog"), outfit="s11").actions == ("WalkDog",)
    assert config(outfit="s11").outfit == "S11"


def test_a_clip_key_knows_no_outfit() -> None:
    own, other = (take(ClipKey("S7", "Sitting", 0, outfit), 2, 10.0, 5) for outfit in ("S7", "S6"))
    np.testing.assert_array_equal(own.rotations, other.rotations)
    assert own.seat == other.seat
