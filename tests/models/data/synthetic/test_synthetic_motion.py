"""Motion: bones keep their length, feet hold the ground, clips differ, inverse kinematics reach."""

from itertools import pairwise

import numpy as np
import pytest

from dpa.models.data.contract import JOINT_NAMES
from dpa.models.data.synthetic.body import SUBJECTS, body
from dpa.models.data.synthetic.cameras import views
from dpa.models.data.synthetic.clip import ClipKey, Take, skin_points, take
from dpa.models.data.synthetic.garments import SOLE
from dpa.models.data.synthetic.geometry import about, blend, shortest, two_bones
from dpa.models.data.synthetic.motion.actions import ACTIONS
from dpa.models.data.synthetic.motion.choreography import Choreography
from dpa.models.data.synthetic.motion.walking import drawn_path

BONES = ((1, 2), (2, 3), (4, 5), (5, 6), (11, 12), (12, 13), (14, 15), (15, 16), (1, 4), (9, 10))
WALKS = ("Walking", "WalkDog", "WalkTogether")


def clip(
    subject: str, action: str, number: int = 0, frames: int = 12, fps: float = 10.0, seed: int = 0
) -> Take:
    return take(ClipKey(subject, action, number, subject), frames, fps, seed)


def test_actions_and_subjects_are_at_least_what_is_promised() -> None:
    assert SUBJECTS == ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
    assert len(ACTIONS) >= 8


@pytest.mark.parametrize("action", ACTIONS)
def test_bone_lengths_are_constant(action: str) -> None:
    for number, subject in enumerate(("S1", "S7", "S11")):
        joints = clip(subject, action, number).joints
        for a, b in BONES:
            length = np.linalg.norm(joints[:, a] - joints[:, b], axis=1)
            assert np.ptp(length) < 5, (subject, JOINT_NAMES[a], JOINT_NAMES[b])


def test_joints_are_named_by_anatomy() -> None:
    """Left and right, up and down of a standing person, in its own axes."""
    moment = clip("S1", "Waiting", 2)
    j = dict(zip(JOINT_NAMES, moment.joints[0], strict=True))
    across = j["left hip"] - j["right hip"]
    assert across @ (j["left shoulder"] - j["right shoulder"]) > 0
    forward = np.cross(across, [0, 0, 1.0])  # left x up points backward or forward: decided by the nose
    assert abs(forward @ (j["neck/nose"] - j["head"])) > 0
    heights = [j[name][2] for name in ("left foot", "left knee", "hip", "spine", "thorax", "head")]
    assert all(low < high for low, high in pairwise(heights))
    np.testing.assert_allclose(j["hip"], (j["left hip"] + j["right hip"]) / 2)


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_leaves_the_ground_or_the_frames(action: str) -> None:
    for number, subject in enumerate(SUBJECTS):
        moment = clip(subject, action, number)
        for step in (0, 5, 11):
            skin = skin_points(moment, step)
            # bare skin ends SOLE above the floor; a rolling heel may dip by 2 cm
            assert -0.012 < skin[:, 2].min() < SOLE + 0.03, (subject, step)
            for view in views(100):
                u, v, depth = view.project(skin)
                assert depth.min() > 2
                assert min(u.min(), v.min()) > 0 and max(u.max(), v.max()) < 100


@pytest.mark.parametrize("action", [a for a in ACTIONS if a not in (*WALKS, "Phoning", "Waiting")])
def test_planted_feet_stay(action: str) -> None:
    joints = clip("S9", action, 1).joints
    assert np.ptp(joints[:, [3, 6]], axis=0).max() < 2


@pytest.mark.parametrize("action", WALKS)
@pytest.mark.parametrize("subject", ["S1", "S6", "S7"])
def test_a_walking_foot_that_is_flat_does_not_slide(action: str, subject: str) -> None:
    """An ankle at its standing height (within 2 mm, before and after) may move by 3 mm a frame at 50 Hz."""
    moment = clip(subject, action, 3, frames=150, fps=50.0)
    stood = 0
    for foot, bone in ((3, "foot.R"), (6, "foot.L")):
        ankle = moment.joints[:, foot]
        flat = np.abs(ankle[:, 2] / 1000 - moment.body.head(bone)[2] - SOLE) < 0.002
        both = flat[1:] & flat[:-1]
        stood += both.sum()
        assert np.linalg.norm(np.diff(ankle, axis=0), axis=1)[both].max() < 3
    assert stood > 20
    travelled = np.linalg.norm(np.diff(moment.joints[:, 0, :2], axis=0), axis=1).sum()
    assert travelled > 800


def test_the_feet_take_turns() -> None:
    """The left foot is ahead as far and as often as the right one: on average they are level."""
    joints = clip("S8", "Walking", 2, frames=400, fps=20.0).joints
    ahead = np.gradient(joints[:, 0, :2], axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    lead = np.einsum("ti,ti->t", joints[:, 6, :2] - joints[:, 3, :2], ahead)
    assert lead.max() > 250 and lead.min() < -250
    assert abs(lead.mean()) < 0.1 * np.ptp(lead)


def test_long_walks_never_jump() -> None:
    joints = clip("S5", "Walking", 0, frames=600, fps=20.0).joints
    assert np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=1).max() < 120  # mm in 50 ms: 2.4 m/s


def test_clips_differ_and_seeds_differ_but_nothing_else_matters() -> None:
    first = clip("S1", "Greeting", 0).joints
    assert np.abs(first - clip("S1", "Greeting", 1).joints).max() > 50
    assert np.abs(first - clip("S1", "Greeting", 0, seed=1).joints).max() > 50
    np.testing.assert_array_equal(first, clip("S1", "Greeting", 0).joints)
    other = take(ClipKey("S1", "Greeting", 0, "S8"), 12, 10.0, 0)
    np.testing.assert_array_equal(first, other.joints)


def test_people_face_all_ways() -> None:
    """Yaws of 80 clips spread over the circle: their mean is short (about 0.1 for uniform ones)."""
    hips = [clip("S1", "Directions", k, frames=1).joints[0, [4, 1]] for k in range(80)]
    across = np.array([left - right for left, right in hips])[:, :2]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    assert np.linalg.norm(across.mean(axis=0)) < 0.35


def test_two_bones_reach_what_is_within_reach() -> None:
    rng = np.random.default_rng(0)
    upper, lower = np.array([0.02, -0.03, -0.40]), np.array([-0.01, 0.04, -0.38])
    origin = rng.normal(size=(50, 3))
    away = rng.normal(size=(50, 3))
    target = origin + away / np.linalg.norm(away, axis=1, keepdims=True) * rng.uniform(0.2, 0.77, (50, 1))
    pole = rng.normal(size=(50, 3))
    first, second = two_bones(origin, target, pole, upper, lower, np.array([0, -1.0, 0]))
    for rotation in (first, second):
        np.testing.assert_allclose(
            rotation @ rotation.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-9
        )
        np.testing.assert_allclose(np.linalg.det(rotation), 1)
    middle = origin + first @ upper
    np.testing.assert_allclose(middle + second @ lower, target, atol=1e-9)
    along = target - origin
    bend = (middle - origin) - along * (
        np.einsum("ij,ij->i", middle - origin, along) / np.einsum("ij,ij->i", along, along)
    )[:, None]
    assert (np.einsum("ij,ij->i", bend, pole) > 0).all()


def test_two_bones_stretch_towards_what_is_out_of_reach() -> None:
    upper, lower = np.array([0, 0, -0.4]), np.array([0, 0, -0.4])
    target = np.array([[3.0, 0, 0]])
    first, second = two_bones(
        np.zeros((1, 3)), target, np.array([[0, 0, 1.0]]), upper, lower, np.array([0, -1.0, 0])
    )
    end = (first @ upper + second @ lower)[0]
    assert end[0] == pytest.approx(0.8 * 0.9985)
    np.testing.assert_allclose(end[1:], 0, atol=1e-9)


def test_elementary_rotations_follow_the_right_hand_rule() -> None:
    np.testing.assert_allclose(about(2, 90.0) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(about(0, 90.0) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(about(1, 90.0) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    a, b = np.array([1.0, 2, 3]), np.array([-2.0, 1, 0.5])
    np.testing.assert_allclose(shortest(a, b) @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-12)
    half = blend(np.eye(3)[None], about(2, np.array([80.0])), 0.5)
    np.testing.assert_allclose(half, about(2, np.array([40.0])), atol=1e-12)


def test_paths_are_closed_and_measured_by_distance() -> None:
    for seed in range(6):
        path = drawn_path(Choreography(body("S1"), np.zeros(1), np.random.default_rng(seed)))
        walked = np.linspace(0, 2 * path.length, 4001)
        xy, heading = path.at(walked)
        np.testing.assert_allclose(xy[0], xy[-1], atol=1e-6)
        speed = np.linalg.norm(np.diff(xy, axis=0), axis=1) / np.diff(walked)
        np.testing.assert_allclose(speed, 1, atol=0.01)
        ahead = np.diff(xy, axis=0) / np.diff(walked)[:, None]
        np.testing.assert_allclose(ahead[:, 0], np.cos(heading[:-1]), atol=0.03)
        assert np.abs(np.diff(heading)).max() < 0.1
