"""The objective's gradient against finite differences, in float64 on a tiny network."""

import numpy as np
import pytest
import torch

from dpa.engine.attack.algorithm import Preparation
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.objective import Objective, mpjpe
from dpa.engine.attack.state import FrameBatch


def prepared(world):
    """The slots that Algorithm 1 starts from."""
    network = world.network
    judge = Judge(network, network, world.plates)
    preparation = Preparation(
        network,
        judge,
        lambda frames: network.predict(frames).detach(),
        prefix=lambda h_p: h_p[:, :0],
        max_steps=1,
        min_error_mm=float("inf"),
    )
    batch = FrameBatch(torch.arange(len(world.frames)), world.frames, world.plate_index)
    return preparation.prepare(batch)


@pytest.mark.parametrize("freeze_box", [False, True])
def test_gradient_agrees_with_finite_differences(tiny_world, freeze_box):
    world = tiny_world(samples=3)
    slots = prepared(world)
    objective = Objective(world.network, world.network, world.plates, freeze_box, clamp=True)
    h_a = (slots.h_a + 0.3).requires_grad_()
    (gradient,) = torch.autograd.grad(objective(h_a, slots.scene)[0].sum(), h_a)

    def error_at(codes):
        """The same error written out on the full-resolution frame, the box held where it must be."""
        network, scene = world.network, slots.scene
        frames = compose(network, codes, scene, world.plates)
        box = network.localise(compose(network, h_a, scene, world.plates) if freeze_box else frames)
        pose = network.regress(network.encode(network.crop(frames, box))[1])
        return (pose - scene.reference).pow(2).sum(-1).sqrt().mean(-1).detach()

    step = 1e-6
    expected = torch.stack(
        [
            (error_at(h_a + step * unit) - error_at(h_a - step * unit)) / (2 * step)
            for unit in torch.eye(h_a.shape[1], dtype=h_a.dtype)
        ],
        dim=1,
    )
    assert expected.abs().max() > 1
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)


def compose(network, h_a, scene, plates):
    """The full-resolution frame by the two-step reference."""
    from dpa.kernels.reference import composite

    rgb = network.decode(h_a, scene.pose_code)[0].clamp(0, 1)
    return composite(rgb, scene.mask, scene.box, plates, scene.plate_index)


def test_gradient_flows_through_the_box_unless_frozen(tiny_world):
    world = tiny_world(samples=2)
    slots = prepared(world)
    h_a = (slots.h_a + 0.3).requires_grad_()
    gradients = []
    for freeze_box in (False, True):
        objective = Objective(world.network, world.network, world.plates, freeze_box, clamp=True)
        gradients.append(torch.autograd.grad(objective(h_a, slots.scene)[0].sum(), h_a)[0])
    assert (gradients[0] - gradients[1]).norm() > 1e-3 * gradients[0].norm()


def test_mpjpe_is_the_mean_joint_distance():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 17, 3)) * 100
    expected = [
        np.mean([np.linalg.norm(p - q) for p, q in zip(x, y, strict=True)]) for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(mpjpe(torch.tensor(a), torch.tensor(b)), expected)


def test_mpjpe_has_a_zero_gradient_where_the_poses_meet():
    pose = torch.zeros(1, 17, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(mpjpe(pose, torch.zeros(1, 17, 3)).sum(), pose)
    assert gradient.eq(0).all()


def test_colours_beyond_white_and_black_do_not_reach_the_target(linear_network, grey_frames):
    """Level 300 is painted as 255; the unclamped objective sees 300."""
    network, plates = linear_network(), grey_frames(0)
    from dpa.engine.attack.state import Scene

    scene = Scene(
        pose_code=torch.zeros(1, 1, dtype=torch.float64),
        mask=torch.ones(1, 1, 8, 8, dtype=torch.float64),
        box=torch.tensor([[1.0, 1, 0, 0]], dtype=torch.float64),
        plate_index=torch.zeros(1, dtype=torch.int64),
        reference=torch.zeros(1, 17, 3, dtype=torch.float64),
        prefix=torch.zeros(1, 0, dtype=torch.float64),
    )
    h_a = torch.tensor([[300.0]], dtype=torch.float64)
    levels = [
        Objective(network, network, plates, False, clamp)(h_a, scene)[0].item() for clamp in (True, False)
    ]
    np.testing.assert_allclose(levels, [255, 300])
