"""The witness: where limbs lie, what is left of a picture without them, what it says of limbs that it cannot
see, and its place in the one training loop."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.cameras import views
from dpa.models.data.synthetic.clip import ClipKey, take, true_boxes
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import generate
from dpa.models.frameworks import make_network
from dpa.models.frameworks.limbs import LIMBS, hide_limbs, in_crop, joints_in_frame, near
from dpa.models.frameworks.witness import UNSEEN_MM, PaintsNothing, WitnessNetwork, nearer_views
from dpa.models.networks import config as network_config
from dpa.models.networks.config import NetworkConfig
from dpa.models.training import loop
from dpa.models.training.batches import BatchSource
from dpa.models.training.checkpoint import load_network
from dpa.models.training.config import TrainConfig

CPU = torch.device("cpu")
SIZE = 160


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    config = SynthConfig(
        subjects=("S1", "S6"), actions=("Eating", "Sitting"), clips=1, frames=2, fps=2, size=48, workers=1
    )
    return generate(config, tmp_path_factory.mktemp("people") / "set")


def test_joints_lie_where_the_cameras_project_them() -> None:
    """The oracle: the generator's joints in the world through its own pinhole cameras."""
    for action in ("Walking", "Sitting", "Greeting"):
        moment = take(ClipKey("S5", action, 0, "S5"), 2, 0.5, 9)
        seen_by = views(SIZE)
        boxes = true_boxes(moment, seen_by)
        for step in range(2):
            for camera, view in enumerate(seen_by):
                world = moment.joints[step]
                pose = (world - world[0]) @ view.rotation.T
                points, unit = joints_in_frame(
                    torch.from_numpy(pose[None]).float(), torch.from_numpy(boxes[step, camera][None])
                )
                u, v, depth = view.project(world / 1000)
                found = (points[0, :17].numpy() + 1) * SIZE / 2
                assert np.hypot(found[:, 0] - u, found[:, 1] - v).mean() < 3
                assert unit.item() == pytest.approx(2 * view.focal / SIZE / depth[0] / 1000, rel=0.1)


def test_distance_to_a_bone_is_that_of_a_segment() -> None:
    points = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]])
    distance = near(points, torch.tensor([[[0, 1]]]), 9)[0]
    axis = (2 * np.arange(9) + 1) / 9 - 1
    x, y = np.meshgrid(axis, axis)
    expected = np.hypot(np.maximum(np.abs(x) - 0.5, 0), y)
    np.testing.assert_allclose(distance, expected, atol=1e-6)


@pytest.mark.parametrize("melted", [False, True])
def test_a_hidden_limb_leaves_the_rest_of_the_picture(people: PackedStore, melted: bool) -> None:
    batch = BatchSource(people, CPU, labelled=True).batch(np.arange(len(people)))
    points, unit = joints_in_frame(batch.pose, batch.true_box)  # type: ignore[attr-defined]
    whole = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(len(people), 4)
    points = in_crop(points, whole)
    plates = batch.plates[batch.plate_index]
    number = len(people)
    limb = torch.full((number,), list(LIMBS).index("left arm"))
    made = hide_limbs(batch.frames, plates, points, unit, limb, torch.full((number,), melted))
    changed = (made - batch.frames).abs().amax(1) > 0

    def distance(*bones: tuple[int, int]) -> torch.Tensor:
        return near(points, torch.tensor(bones).expand(number, -1, -1), 48) / unit[:, None, None]

    arm = distance((11, 12), (12, 13), (13, 17))
    assert changed[arm > 220].sum() == 0
    if not melted:
        off_trunk = (arm < 5) & (distance((0, 7), (7, 8), (8, 9)) > 160)
        inner = off_trunk[:, None].expand_as(made)
        torch.testing.assert_close(made[inner], plates[inner], atol=1e-5, rtol=0)
        assert len(made[inner]) > 20


def test_nearer_views_hold_the_person_and_stay_in_the_frame() -> None:
    draws = torch.Generator().manual_seed(0)
    side = 0.2 + 0.5 * torch.rand(500, 1, generator=draws)
    place = (1 - side) * (2 * torch.rand(500, 2, generator=draws) - 1)
    boxes = torch.cat([side, side, place], dim=1)
    view = nearer_views(boxes)
    assert (view[:, 2:].abs() + view[:, :1] <= 1 + 1e-5).all()
    assert ((boxes[:, 2:] - view[:, 2:]).abs() + boxes[:, :2] <= view[:, :2] + 1e-5).all()
    assert view[:, 0].min() < 0.6 and view[:, 0].max() > 0.9


def test_limbs_that_it_does_not_see_are_nowhere(tiny_config: NetworkConfig) -> None:
    network = make_network(tiny_config, "witness").eval()
    read = torch.randn(3, 55)
    read[:, -4:] = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, 1], [-1, 1, 1, 1]])
    pose = network.regress(read)
    torch.testing.assert_close(pose[0, 0], torch.zeros(3))
    nowhere = torch.tensor(UNSEEN_MM)
    gone = (pose == nowhere).all(-1)
    assert gone[0].sum() == 0
    assert gone[1].nonzero()[:, 0].tolist() == [12, 13]  # the left arm beyond its shoulder
    assert gone[2].nonzero()[:, 0].tolist() == [2, 3]  # the right leg beyond its hip
    moved = (pose[1] - network.regress(read[1:2].index_fill(1, torch.tensor([53]), 1.0))[0]).norm(dim=-1)
    assert moved.mean() > 80


def test_it_paints_nothing_and_has_no_appearance_code(tiny_config: NetworkConfig) -> None:
    network = make_network(tiny_config, "witness").eval()
    h_a, h_p = network.encode(torch.rand(2, 3, 16, 16))
    assert h_a.shape == (2, 0) and h_p.shape == (2, network.config.pose_dim)
    assert not network.can_paint
    with pytest.raises(PaintsNothing, match="decoder"):
        network.decode(h_a, h_p)


def test_it_learns_in_the_one_loop_and_comes_back(
    people: PackedStore, tiny_config: NetworkConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(network_config.PRESETS, "small", lambda: tiny_config)
    config = TrainConfig(
        framework="witness",
        steps=40,
        batch=8,
        warm_up=2,
        localiser_start=0,
        localiser_rate=1,
        learning_rate=3e-3,
        log_every=1,
        validate_every=40,
        checkpoint_every=20,
        precision="fp32",
        held_out=0.25,
    )
    losses = []
    trainer = loop.Trainer(config, people, tmp_path, CPU)
    trainer.fit(False, lambda told: losses.append(told.values))
    poses = [values["pose"] for values in losses if "pose" in values]
    assert np.mean(poses[-5:]) < 0.9 * np.mean(poses[:5])
    assert any("held_out/mpjpe_mm" in values and "held_out/psnr_db" not in values for values in losses)
    again = load_network(str(tmp_path))
    assert isinstance(again, WitnessNetwork)
    frames = people.frames_at(np.arange(4))
    torch.testing.assert_close(again.predict(frames), trainer.network.predict(frames))
