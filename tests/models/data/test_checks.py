"""The figures of a clip, and what they say of good and of spoilt ones."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dpa.models.data.checks import Clip, Figures, measured, sampled
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import generate

FRAMES = 30


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    config = SynthConfig(
        subjects=("S1",), actions=("Walking",), clips=1, frames=FRAMES, fps=5, size=128, seed=3, workers=1
    )
    return generate(config, tmp_path_factory.mktemp("checks") / "set")


def clip(store: PackedStore, **changes: Any) -> Clip:
    """The first camera's clip; frames, plate and silhouettes may be changed."""
    rows = np.flatnonzero(store.camera == 0)
    frames = changes.pop("frames", store.frames_u8_at(rows))
    plate = changes.pop("plate", np.asarray(store.plates[0]))
    masks = changes.pop("silhouettes", store.silhouettes(rows))

    def samples() -> Iterator[Any]:
        for row in sampled(len(rows)).tolist():
            yield row, frames[row], plate, masks[row]

    assert store.pixels is not None
    known = Clip(
        samples(),
        store.size,
        np.asarray(store.box[rows]),
        np.asarray(store.pixels[rows]),
        np.asarray(store.poses[rows]),
        np.asarray(store.time[rows]),
    )
    return replace(known, **changes)


def test_a_good_clip_has_no_fault_and_its_true_figures(store: PackedStore) -> None:
    figures = measured(clip(store))
    assert figures.faults() == []
    assert figures.frames == FRAMES and figures.alone == 1 and figures.empty == 0 and figures.drift == 0
    assert figures.unexplained < 0.01 and figures.joints_in_box == figures.joints_in_frame == 1
    assert figures.on_skeleton is not None and figures.on_skeleton > 0.95
    assert figures.bone_spread is not None and figures.bone_spread < 1e-3
    rows = np.flatnonzero(store.camera == 0)
    areas = store.silhouettes(rows).mean((1, 2)) / np.prod(store.box[rows, :2], axis=1)
    assert figures.in_box == pytest.approx(np.median(areas), rel=0.05)
    assert figures.gap == pytest.approx(1)
    assert Figures.from_json(figures.to_json()) == replace(figures, **figures.to_json())  # type: ignore[arg-type]


def test_a_moving_camera_is_told(store: PackedStore) -> None:
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(store.camera == 0)
    frames = [np.roll(store.frames[row], rng.integers(-6, 7, 2), (0, 1)) for row in rows]
    assert "the camera moves" in " ".join(measured(clip(store, frames=frames)).faults())


def test_another_scene_than_the_plate_is_told(store: PackedStore) -> None:
    figures = measured(clip(store, plate=np.asarray(store.plates[1])))
    assert "the plate does not hold" in " ".join(figures.faults()) and figures.drift == 0


def test_a_second_person_is_told(store: PackedStore) -> None:
    """A copy of the person is laid into the frame, where it is not yet."""
    rows = np.flatnonzero(store.camera == 0)
    frames, masks = store.frames_u8_at(rows), store.silhouettes(rows)
    for frame, mask in zip(frames, masks, strict=True):
        centre = np.argwhere(mask)[:, 1].mean()
        far = np.roll(mask, 50 if centre < 64 else -50, axis=1)
        frame[far] = np.roll(frame, 50 if centre < 64 else -50, axis=1)[far]
    figures = measured(clip(store, frames=frames))
    assert figures.alone < 0.2 and "more than one person" in " ".join(figures.faults())
    both = [mask | np.roll(mask, 50, axis=1) for mask in masks]
    whole = np.tile(np.array([1, 1, 0, 0], np.float32), (FRAMES, 1))
    assert measured(clip(store, silhouettes=both, boxes=whole)).alone < 0.5


def test_a_legless_silhouette_is_told(store: PackedStore) -> None:
    rows = np.flatnonzero(store.camera == 0)
    masks = store.silhouettes(rows)
    assert store.pixels is not None
    for mask, joints in zip(masks, store.pixels[rows], strict=True):
        mask[int(joints[[1, 4], 1].mean()) :] = False
    said = " ".join(measured(clip(store, silhouettes=masks)).faults())
    assert "of the legs" in said


def test_joints_and_bones_that_do_not_fit_are_told(store: PackedStore) -> None:
    rows = np.flatnonzero(store.camera == 0)
    assert store.pixels is not None
    shifted = np.asarray(store.pixels[rows]) + 60
    said = " ".join(measured(clip(store, joints=shifted)).faults())
    assert "outside the box" in said and "of the bones" in said
    scale = np.linspace(0.5, 1.5, FRAMES)[:, None, None]
    said = " ".join(measured(clip(store, poses=np.asarray(store.poses[rows]) * scale)).faults())
    assert "bones change their length (by 30%)" in said


def test_nobody_gaps_and_what_is_not_known(store: PackedStore) -> None:
    times = np.arange(FRAMES) / 5.0
    times[20:] += 2
    figures = measured(clip(store, joints=None, poses=None, times=times, empty=FRAMES))
    assert figures.empty == 0.5 and "nobody to be seen (50% of the frames)" in figures.faults()
    assert figures.gap == pytest.approx(11) and figures.on_legs is figures.bone_spread is None
    unknown = np.full((FRAMES, 17, 3), np.nan)
    assert measured(clip(store, poses=unknown)).bone_spread is None


def test_a_few_frames_are_not_judged_by_their_pictures(store: PackedStore) -> None:
    figures = measured(clip(store, plate=np.asarray(store.plates[1])))
    assert figures.faults() and replace(figures, frames=6).faults() == []


def test_a_set_tells_where_the_joints_are(store: PackedStore) -> None:
    """Where the joints are in the frames: those of the poses, at one place of the root."""
    assert store.pixels is not None and store.pixels.shape == (len(store), 17, 2)
    k = store.cameras[0].intrinsics
    rows = np.flatnonzero(store.camera == 0)
    pose, seen = np.asarray(store.poses[rows[0]], float), np.asarray(store.pixels[rows[0]], float)
    # u·z = fx·x + cx·z for every joint: linear in the root's place (x, y, z)
    left, right = [], []
    for (x, y, z), (u, v) in zip(pose, seen, strict=True):
        left += [(k[0, 0], 0, k[0, 2] - u), (0, k[1, 1], k[1, 2] - v)]
        right += [(u - k[0, 2]) * z - k[0, 0] * x, (v - k[1, 2]) * z - k[1, 1] * y]
    root = np.linalg.lstsq(np.array(left), np.array(right), rcond=None)[0]
    projected = (pose + root) @ k.T
    np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], seen, atol=0.01)
