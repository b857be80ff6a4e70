"""Overlay pictures: where the box lies, where the skeleton lies in it, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from dpa.engine.prediction.overlay import (
    BOX_COLOUR,
    OverlayInTheWay,
    both,
    draw_overlay,
    overlay_writer,
    place_skeleton,
)
from dpa.engine.prediction.stream import Batch

GREY = np.full((120, 160, 3), 128, np.uint8)
BOX = np.float32([0.25, 0.5, -0.5, 0.25])
"""In a picture of 480 x 360: x from 60 to 180, y from 135 to 315."""


def upright() -> np.ndarray:
    """[17, 3] mm: head 800 above the hip, feet 900 below it, wrists 300 to either side."""
    pose = np.zeros((17, 3), np.float32)
    pose[10, 1], pose[[3, 6], 1] = -800, 900
    pose[13, 0], pose[16, 0] = 300, -300
    return pose


def test_the_boxs_outline_is_where_theta_says() -> None:
    drawn = np.asarray(draw_overlay(GREY, upright(), BOX)).astype(int)
    assert drawn.shape == (360, 480, 3)
    rows, columns = np.nonzero((drawn == ImageColor.getrgb(BOX_COLOUR)).all(axis=2))
    assert abs(rows.min() - 135) <= 1 and abs(rows.max() - 315) <= 1
    assert abs(columns.min() - 60) <= 1 and abs(columns.max() - 180) <= 1


def test_the_skeleton_stands_in_the_middle_of_the_box_upright_and_to_scale() -> None:
    corners = np.array([[60.0, 135.0], [180.0, 315.0]])
    flat = place_skeleton(upright(), corners)
    scale = 180 / 1.15 / 1700  # 1,700 mm fill the box's longer side but for its margin
    head, foot, left, right = flat[10], flat[3], flat[13], flat[16]
    np.testing.assert_allclose((head + foot) / 2, [120, 225], atol=1e-9)
    np.testing.assert_allclose(foot - head, [0, 1700 * scale], atol=1e-9)
    np.testing.assert_allclose(left - right, [600 * scale, 0], atol=1e-9)


def test_a_pose_that_is_a_point_or_not_a_number_still_gives_a_picture() -> None:
    assert draw_overlay(GREY, np.zeros((17, 3), np.float32), BOX).size == (480, 360)
    assert draw_overlay(GREY, np.full((17, 3), np.nan, np.float32), BOX).size == (480, 360)
    assert draw_overlay(GREY, upright(), np.float32([1e9, 1, 0, np.inf])).size == (480, 360)


def batch(names: list[str]) -> Batch:
    count = len(names)
    pixels, poses = np.stack([GREY] * count), np.stack([upright()] * count)
    return Batch(names, list(range(count)), pixels, poses, np.stack([BOX] * count))


def test_one_picture_a_frame_numbered_over_batches(tmp_path: Path) -> None:
    seen = []
    write = both(lambda given: seen.append(len(given.sources)), overlay_writer(tmp_path / "over"))
    write(batch(["a/x.png", "b/x.png"]))
    write(batch(["walk.mp4"]))
    assert seen == [2, 1]
    names = sorted(path.name for path in (tmp_path / "over").glob("*.png"))
    assert names == ["000000_x.png", "000001_x.png", "000002_walk.png"]
    assert Image.open(tmp_path / "over" / names[2]).size == (480, 360)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.png").write_bytes(b"")
    for path in (tmp_path, tmp_path / "holiday.png"):
        with pytest.raises(OverlayInTheWay, match="--overlay"):
            overlay_writer(path)
