"""Clothes, skin and light drawn anew for every frame, and people who stand taller in theirs."""

from pathlib import Path

import numpy as np
import pytest

from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.clip import take
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import clip_keys, generate, generate_redressed
from dpa.models.errors import InputError

FRAMES, CAMERAS = 3, 4
BASE = {
    "subjects": ("S1", "S8"),
    "actions": ("Walking", "Posing"),
    "clips": 1,
    "frames": FRAMES,
    "size": 96,
    "seed": 4,
    "workers": 1,
}


def config(**changes: object) -> SynthConfig:
    return SynthConfig.model_validate({**BASE, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def fresh(folder: Path) -> PackedStore:
    return generate(config(fresh_outfits=True), folder / "fresh")


@pytest.fixture(scope="module")
def plain(folder: Path) -> PackedStore:
    return generate(config(), folder / "plain")


def mean_colours(store: PackedStore) -> np.ndarray:
    """[N, 3]: of the person in each frame."""
    masks = store.silhouettes(slice(None))
    return np.stack([store.frames[i][mask].mean(0) for i, mask in enumerate(masks)])


def test_the_motion_stays_and_the_room_too(fresh: PackedStore, plain: PackedStore) -> None:
    for name in ("poses", "box", "plates", "frame", "time", "sequence", "subject", "action"):
        np.testing.assert_array_equal(getattr(fresh, name), getattr(plain, name))


def test_every_frame_looks_different_and_its_four_views_alike(fresh: PackedStore, plain: PackedStore) -> None:
    """Means over the person: between frames of a clip far more than one outfit's own changes, also against
    what the cameras' directions make of one frame."""
    moments = {
        store.path.name: mean_colours(store).reshape(-1, FRAMES, CAMERAS, 3) for store in (fresh, plain)
    }
    spread = {name: float(means.mean(2).std(1).mean()) for name, means in moments.items()}
    assert spread["fresh"] > 5 * spread["plain"]
    assert moments["fresh"].std(2).mean() < spread["fresh"]
    names = fresh.outfit.reshape(-1, CAMERAS)
    assert (names == names[:, :1]).all() and len(np.unique(names)) == len(names)


def test_the_same_bytes_for_any_workers_and_a_look_that_belongs_to_its_frame(
    fresh: PackedStore, tmp_path: Path
) -> None:
    again = generate(config(fresh_outfits=True, workers=2), tmp_path / "again")
    np.testing.assert_array_equal(fresh.frames, again.frames)
    shorter = generate(config(fresh_outfits=True, frames=1), tmp_path / "shorter")
    first = np.flatnonzero(fresh.frame == 0)
    seen = (mean_colours(shorter), mean_colours(fresh)[first])
    np.testing.assert_allclose(*seen, atol=1)  # but for the sensor's noise
    other = generate(config(fresh_outfits=True, frames=1, seed=5), tmp_path / "other")
    assert np.abs(mean_colours(other) - seen[0]).mean() > 8


def test_fresh_clothes_and_named_ones_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of the two"):
        config(fresh_outfits=True, outfit="S5")
    with pytest.raises(InputError, match="fresh outfits in a re-dressed set"):
        generate_redressed(config(fresh_outfits=True), ["S1"], tmp_path / "set")


def test_zoomed_people_are_as_many_times_as_tall_and_stay_in_view(tmp_path: Path, plain: PackedStore) -> None:
    zoomed = generate(config(zoom=1.6), tmp_path / "zoomed")
    heights = {}
    for store in (plain, zoomed):
        masks = store.silhouettes(slice(None))
        edges = np.concatenate([masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]], axis=1)
        assert not edges.any()
        heights[store.path.name] = np.array([np.ptp(np.flatnonzero(mask.any(1))) + 1 for mask in masks])
    assert np.median(heights["zoomed"]) / np.median(heights["plain"]) == pytest.approx(1.6, rel=0.06)
    for number, key in enumerate(clip_keys(config())):
        joints = take(key, FRAMES, 10.0, 4, 1.6).joints
        for row in np.flatnonzero(zoomed.sequence == number):
            camera = zoomed.cameras[zoomed.camera[row]]
            seen = camera.to_camera(joints[zoomed.frame[row]])
            np.testing.assert_allclose(zoomed.poses[row], seen - seen[0], atol=1e-3)
            u, v = camera.project(joints[zoomed.frame[row]]).T / 96 * 2 - 1
            sx, sy, tx, ty = zoomed.box[row]
            assert (np.abs(u - tx) < sx).all() and (np.abs(v - ty) < sy).all()


def test_a_set_without_the_two_settings_is_described_as_before(
    plain: PackedStore, fresh: PackedStore
) -> None:
    assert not {"fresh_outfits", "zoom"} & set(plain.meta)
    assert fresh.meta["fresh_outfits"] is True and "zoom" not in fresh.meta
    assert SynthConfig.model_validate(config(zoom=1.5).model_dump()) == config(zoom=1.5)
