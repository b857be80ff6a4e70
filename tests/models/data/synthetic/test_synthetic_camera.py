"""Cameras against closed forms, and boxes, crops and plates against them."""

import numpy as np
import pytest

from dpa.models.data.synthetic.cameras import Plate, views
from dpa.models.data.synthetic.clip import MARGIN, true_box
from dpa.models.data.synthetic.picture import closed
from dpa.models.data.synthetic.room import FLOOR, trace

SIZE = 100


def test_focal_length_and_distance_are_those_of_the_room() -> None:
    for view in views(1000):
        assert view.contract().intrinsics[0, 0] == pytest.approx(1145)
        assert 4.8 < np.linalg.norm(view.centre[:2]) < 5.4


@pytest.mark.parametrize("number", range(4))
def test_projection_is_the_pinhole_formula(number: int) -> None:
    view = views(SIZE)[number]
    x, y, z = 0.3, -0.2, 4.0
    world = view.centre + view.rotation.T @ np.array([x, y, z])
    u, v, depth = view.project(world[None])
    assert u[0] == pytest.approx(SIZE / 2 + 1.145 * SIZE * x / z)
    assert v[0] == pytest.approx(SIZE / 2 + 1.145 * SIZE * y / z)
    assert depth[0] == pytest.approx(z)


def test_rotations_are_right_handed_with_y_down() -> None:
    for view in views(SIZE):
        np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(view.rotation) == pytest.approx(1)
        assert view.rotation[1] @ [0, 0, 1] < -0.9  # the camera's y axis points down


def test_the_contract_camera_says_the_same_in_millimetres() -> None:
    points = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (20, 3))
    for view in views(SIZE):
        u, v, _ = view.project(points)
        np.testing.assert_allclose(view.contract().project(points * 1000), np.stack([u, v], 1), atol=1e-9)


def test_rays_meet_what_they_are_projected_from() -> None:
    points = np.random.default_rng(1).uniform([-1, -1, 0], [1, 1, 2], (20, 3))
    for view in views(SIZE):
        u, v, depth = view.project(points)
        np.testing.assert_allclose(view.centre + view.rays(u, v) * depth[:, None], points, atol=1e-9)


def test_floor_rays_end_on_the_floor() -> None:
    view = views(SIZE)[0]
    u, v, _ = view.project(np.array([[0.2, 0.1, 0.0], [-0.5, 0.4, 0.0]]))
    hits = trace(view.centre.astype(np.float32), view.rays(u, v).astype(np.float32))
    assert (hits.surface == FLOOR).all()
    np.testing.assert_allclose(hits.point, [[0.2, 0.1, 0], [-0.5, 0.4, 0]], atol=1e-4)


def test_box_is_square_centred_and_has_its_margin() -> None:
    view = views(SIZE)[1]
    points = np.random.default_rng(2).uniform([-0.4, -0.4, 0], [0.4, 0.4, 1.8], (50, 3))
    u, v, _ = view.project(points)
    sx, sy, tx, ty = true_box(view, points)
    assert sx == sy
    side = max(np.ptp(u), np.ptp(v))
    assert sx * SIZE == pytest.approx(side * MARGIN, rel=1e-5)
    assert (tx + 1) / 2 * SIZE == pytest.approx((u.min() + u.max()) / 2, rel=1e-5)
    assert (ty + 1) / 2 * SIZE == pytest.approx((v.min() + v.max()) / 2, rel=1e-5)


def test_a_cropped_view_maps_the_box_to_the_whole_image() -> None:
    view = views(SIZE)[2]
    box = np.array([0.4, 0.4, 0.1, -0.2], np.float32)
    crop = view.cropped(box, 64)
    points = np.random.default_rng(3).uniform([-0.4, -0.4, 0], [0.4, 0.4, 1.8], (30, 3))
    u, v, _ = view.project(points)
    cu, cv, _ = crop.project(points)
    for full, cut, t in ((u, cu, box[2]), (v, cv, box[3])):
        np.testing.assert_allclose((2 * full / SIZE - 1 - t) / 0.4, 2 * cut / 64 - 1, atol=1e-5)


def test_a_cropped_plate_samples_a_ramp_exactly() -> None:
    """A linear image stays linear under bilinear sampling: value = 255 · (pixel edge coordinate) / side."""
    ramp = np.repeat(np.arange(32) * 6 + 3, 32).reshape(32, 32).T
    plate = Plate(np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8), np.ones((32, 32), np.float32))
    crop = plate.cropped(np.array([0.5, 0.5, 0.0, 0.0]), 16)
    np.testing.assert_array_equal(crop.image[0, :, 0], ramp[0, 8:24])
    assert (crop.floor == 1).all()


def test_closing_fills_pin_holes_and_keeps_the_outline() -> None:
    mask = np.zeros((20, 20), bool)
    mask[4:16, 4:16] = True
    holed = mask.copy()
    holed[8, 8] = holed[11:13, 10:12] = False
    np.testing.assert_array_equal(closed(holed), mask)
    wide = mask.copy()
    wide[7:12, 7:12] = False  # a real opening, such as a bent arm's, stays
    assert not closed(wide)[9, 9]
