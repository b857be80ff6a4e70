"""The engine's parts against closed forms: fits, boxes, medians, rigid motions, names, bounded memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from scipy.spatial.transform import Rotation

from dpa.models.data.importers.annotation_files import shaped
from dpa.models.data.importers.background import DIFFERENCE, box_of, median_plate, silhouette
from dpa.models.data.importers.calibration import intrinsics_from_points, relative_extrinsics, rigid_motion
from dpa.models.data.importers.catalogue import PictureFiles, View
from dpa.models.data.importers.conventions import (
    FROM_MPI_17,
    FROM_MPI_28,
    action_and_clip,
    around_points,
    corrupt,
    in_millimetres,
    pixel_range,
)
from dpa.models.data.importers.pictures import Fit, stored_size
from dpa.models.data.importers.shard import Task, find_people, read_view, stand_plate


@pytest.mark.parametrize(
    ("source", "stored"),
    [((40, 40), (20, 20)), ((30, 60), (20, 20)), ((60, 30), (40, 40)), ((1002, 1000), (1000, 1000))],
)
def test_a_point_stays_on_what_it_marks(source: tuple[int, int], stored: tuple[int, int]) -> None:
    """Picture, intrinsics and box move together: a bright block is where all three say."""
    fit = Fit(source, stored)
    height, width = source
    block = slice(height // 4, height // 2), slice(width // 4, width // 2)
    pixels = np.zeros((*source, 3), np.uint8)
    pixels[block] = 255
    frame = fit.picture(Image.fromarray(pixels))
    assert frame.shape == (*stored, 3)
    rows, columns = (np.flatnonzero((frame[..., 0] > 127).any(axis=axis)) for axis in (1, 0))
    found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    corners = np.array([[block[1].start, block[0].start, 1.0], [block[1].stop, block[0].stop, 1.0]])
    expected = (fit.intrinsics(np.eye(3)) @ corners.T).T[:, :2].ravel()
    np.testing.assert_allclose(found, expected, atol=0.51)
    box = np.array(
        [
            [(c[1] - c[0]) / size, (c[0] + c[1]) / size - 1]
            for c, size in zip(corners.T[:2], (width, height), strict=True)
        ]
    )
    theta = fit.boxes(np.float32([[*box[:, 0], *box[:, 1]]]))[0]
    for axis, size in ((0, stored[1]), (1, stored[0])):
        low, high = ((theta[2 + axis] + sign * theta[axis] + 1) / 2 * size for sign in (-1, 1))
        np.testing.assert_allclose((low, high), expected.reshape(2, 2)[:, axis], atol=1e-3)


def test_nearly_equal_sizes_are_cut_not_resampled() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1002, 1000, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        Fit((1002, 1000), (1000, 1000)).picture(Image.fromarray(pixels)), pixels[1:-1]
    )
    padded = Fit((1000, 1000), (1002, 1000)).picture(Image.fromarray(pixels[:1000]))
    np.testing.assert_array_equal(padded[1:-1], pixels[:1000])
    assert not padded[[0, -1]].any()


def test_the_longer_side_keeps_the_shape() -> None:
    assert stored_size((1080, 1920), 256) == (144, 256)
    assert stored_size((1002, 1000), None) == (1002, 1000)


def test_the_box_is_a_square_about_the_joints() -> None:
    points = np.array([[[10.0, 20], [30, 80], [20, 50]]])
    box = around_points(points, (100, 200), margin=1.5)[0]
    np.testing.assert_allclose(box, [90 / 200, 90 / 100, 2 * 20 / 200 - 1, 2 * 50 / 100 - 1], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 131])
def test_the_median_is_numpys(count: int) -> None:
    frames = np.random.default_rng(count).integers(0, 255, (count, 70, 9, 3)).astype(np.uint8)
    chosen = np.unique(np.linspace(0, count - 1, 50).round().astype(int))
    expected = np.percentile(frames[chosen], 50, axis=0, method="lower")
    np.testing.assert_array_equal(median_plate([frames]), expected)
    cut = count // 3
    np.testing.assert_array_equal(median_plate([frames[:cut], frames[cut:]]), expected)


def test_the_silhouette_is_what_differs_and_is_large() -> None:
    plate = np.full((60, 80, 3), 100, np.uint8)
    frame = plate.copy()
    frame[10:40, 20:35] = (100, 60, 100)
    frame[50, 70] = 255  # a hot pixel
    frame[5:8, 70:73] = 200  # something small
    mask = silhouette(frame, plate, None)
    expected = np.zeros((60, 80), bool)
    expected[10:40, 20:35] = True
    np.testing.assert_array_equal(mask, expected)
    box = box_of(mask)
    assert box is not None
    side = 30 * 1.15
    np.testing.assert_allclose(box, [side / 80, side / 60, 55 / 80 - 1, 50 / 60 - 1], atol=1e-6)
    assert box_of(np.zeros((4, 4), bool)) is None
    half = silhouette(frame, plate, np.float32([14.6 / 80, 14.6 / 60, 40 / 80 - 1, 35 / 60 - 1]))
    np.testing.assert_array_equal(np.argwhere(half).min(axis=0), [10, 20])
    assert np.argwhere(half).max(axis=0).tolist() == [24, 27]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_within_a_box_the_silhouette_is_that_of_the_whole_frame(share: float) -> None:
    """The oracle: SciPy's opening of the whole frame, cut out afterwards; boxes reach beyond the frame."""
    rng = np.random.default_rng(int(10 * share))
    plate = rng.integers(60, 200, (33, 47, 3), dtype=np.uint8)
    frame = plate.copy()
    apart = rng.random((33, 47)) < share
    frame[apart, rng.integers(0, 3, apart.sum())] -= DIFFERENCE + 1
    opened = ndimage.binary_opening(apart, np.ones((2, 2), bool))
    for box in rng.uniform([0.02, 0.02, -1.4, -1.4], [1.2, 1.2, 1.4, 1.4], (60, 4)).astype(np.float32):
        expected = np.zeros_like(opened)
        here = pixel_range(box, opened.shape)
        expected[here] = opened[here]
        np.testing.assert_array_equal(silhouette(frame, plate, box), expected)


def test_rigid_motion_and_intrinsics_are_recovered() -> None:
    rng = np.random.default_rng(4)
    points = rng.normal(size=(40, 3)) * 300 + (0, 0, 4000)
    rotation, translation = Rotation.random(rng=5).as_matrix(), rng.normal(size=3) * 1000
    found = rigid_motion(points, points @ rotation.T + translation)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, translation, atol=1e-6)
    flat = points * (1, 1, 0)  # a plane leaves a reflection possible
    assert np.linalg.det(rigid_motion(flat, -flat).rotation) == pytest.approx(1)
    matrix = np.array([[1145, 0, 512], [0, 1143, 515], [0, 0, 1.0]])
    pixels = points @ matrix.T
    np.testing.assert_allclose(
        intrinsics_from_points(points, pixels[:, :2] / pixels[:, 2:]), matrix, rtol=1e-9
    )


def test_cameras_without_a_shared_moment_keep_their_own_axes() -> None:
    poses = np.random.default_rng(0).normal(size=(2, 17, 3)).astype(np.float32)
    clip = {
        "a": (np.array([0, 1]), poses),
        "b": (np.array([5, 6]), poses),
        "c": (np.array([1, 7]), poses[::-1]),
    }
    found = relative_extrinsics([clip])
    np.testing.assert_array_equal(found["b"].rotation, np.eye(3))
    np.testing.assert_allclose(found["c"].rotation, np.eye(3), atol=1e-6)


def test_names_are_normalised() -> None:
    assert action_and_clip("TakingPhoto-1") == action_and_clip("Photo 1") == ("Photo", "1")
    assert action_and_clip("WalkingDog") == ("WalkDog", "") and action_and_clip("Sitting Down_2") == (
        "SittingDown",
        "2",
    )
    assert action_and_clip("Juggling 12") == ("Juggling", "12")


@pytest.mark.parametrize(
    ("clip", "camera", "there", "left_out"),
    [
        ("", "54138969", 10, True),
        ("2", "54138969", 19, False),
        ("1", "54138969", 10, False),
        ("2", "60457274", 10, False),
        ("2", "54138969", 18, True),
    ],
)
def test_the_once_corrupt_clip_is_judged_by_its_pictures(
    tmp_path: Path, clip: str, camera: str, there: int, left_out: bool
) -> None:
    labels = np.arange(20)
    for label in labels[:there]:
        (tmp_path / f"{label}.jpg").touch()
    pictures = PictureFiles(tmp_path, "{}.jpg", labels)
    view = View("S11", "Directions", clip, f"S11.{camera}", numbers=labels, pictures=pictures, fps=50)
    assert (corrupt(view) is not None) is left_out


def test_mpi_joints_are_named_as_ours() -> None:
    """MPI-INF-3DHP's own lists of names, in its order."""
    arms = "{0}_shoulder {0}_elbow {0}_wrist"
    legs = "{0}_hip {0}_knee {0}_ankle"
    r_arm, l_arm, r_leg, l_leg = (part.format(side) for part in (arms, legs) for side in "rl")
    seventeen = f"head_top neck {r_arm} {l_arm} {r_leg} {l_leg} pelvis spine head".split()
    all28 = (
        f"spine3 spine4 spine2 spine pelvis neck head head_top l_clavicle {l_arm} l_hand r_clavicle {r_arm} "
        f"r_hand {l_leg} l_foot l_toe {r_leg} r_foot r_toe"
    ).split()
    ours = f"pelvis {r_leg} {l_leg} spine neck head head_top {l_arm} {r_arm}".split()
    assert [seventeen[i] for i in FROM_MPI_17] == ours == [all28[i] for i in FROM_MPI_28]


def test_metres_become_millimetres() -> None:
    poses = np.random.default_rng(0).normal(size=(3, 17, 3)) * 300
    np.testing.assert_allclose(in_millimetres(poses / 1000), poses, rtol=1e-5)
    np.testing.assert_allclose(in_millimetres(poses), poses, rtol=1e-5)


def test_axes_either_way_round() -> None:
    values = np.arange(5 * 17 * 2).reshape(5, 17, 2)
    for found in (values, values.T):
        np.testing.assert_array_equal(shaped(found, (5, 17, 2), Path("x"), "x"), values)


def test_numbered_files_and_those_that_are_not(tmp_path: Path) -> None:
    files = PictureFiles.of(tmp_path, ["a{1}_0009.jpg", "a{1}_0010.jpg"])
    assert [files.path(i).name for i in range(2)] == ["a{1}_0009.jpg", "a{1}_0010.jpg"]
    with pytest.raises(ValueError, match="not numbered alike"):
        PictureFiles.of(tmp_path, ["a_1.jpg", "b_1.jpg"])


def test_a_long_view_needs_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 99, (64, 64, 3)).astype(np.uint8)
    frame[10:50, 20:40] = 250
    Image.fromarray(frame).save(tmp_path / "0.png")
    peaks = []
    for count in (60, 600):
        files = PictureFiles(tmp_path, "{:01d}.png", np.zeros(count, np.int64))
        joints = np.tile(np.linspace((20, 10), (40, 50), 17, dtype=np.float32), (count, 1, 1))
        view = View("S1", "a", "", "c", np.arange(count), files, 50.0, joints=joints)
        tracemalloc.start()
        task = read_view(tmp_path, Task(count, view, Fit((64, 64), (64, 64)), count))
        stand_plate(tmp_path, [task])
        assert find_people(tmp_path, task).kept == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 64 * 64 * 3 * 100  # of the 540 further frames
