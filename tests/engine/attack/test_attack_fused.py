"""The fused step is the eager step: exactly in float64, closely in bf16, and on copies only."""

import copy

import pytest
import torch
from torch import nn

from dpa.engine.attack.algorithm import Preparation, appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import FrameBatch, Status
from dpa.engine.attack.steps.eager import eager_step
from dpa.engine.attack.steps.fused import NotFusable, SplitDecoder, fold_batch_norms, fused_step


def both_steps(world, dtype, freeze_box=False):
    """Results of (fused, eager) at two different appearance codes of the same samples."""
    network = world.network
    objective = Objective(network, network, world.plates, freeze_box, clamp=True)
    fused, eager = fused_step(objective, (16,), dtype), eager_step(objective, (16,))
    preparation = Preparation(
        network,
        Judge(network, network, world.plates),
        lambda frames: network.predict(frames).detach(),
        fused.prefix,
        max_steps=1,
        min_error_mm=float("inf"),
    )
    batch = FrameBatch(torch.arange(len(world.frames)), world.frames, world.plate_index)
    slots = preparation.prepare(batch)
    torch.manual_seed(1)
    for scale in (0.1, 1.0):
        h_a = slots.h_a + scale * torch.randn_like(slots.h_a)
        yield fused.step(h_a, slots.scene), eager.step(h_a, slots.scene)


@pytest.mark.parametrize("freeze_box", [False, True])
def test_folding_and_splitting_are_exact(tiny_world, freeze_box):
    for fused, eager in both_steps(tiny_world(4), torch.float64, freeze_box):
        torch.testing.assert_close(fused.error, eager.error, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(fused.gradient, eager.gradient, rtol=1e-5, atol=1e-5)
        assert eager.gradient.norm() > 1


def test_bf16_points_the_same_way(tiny_world):
    """By direction and length, in the median: some sample always sits beside a kink of a ReLU."""
    for fused, eager in both_steps(tiny_world(16, torch.float32), torch.bfloat16):
        assert fused.error.dtype is fused.gradient.dtype is torch.float32
        assert torch.cosine_similarity(fused.gradient, eager.gradient).median() > 0.99
        lengths = fused.gradient.norm(dim=1) / eager.gradient.norm(dim=1)
        assert (lengths - 1).abs().median() < 0.1
        assert (fused.error / eager.error - 1).abs().median() < 0.05


def test_split_decoder_paints_what_the_decoder_paints(tiny_world):
    decoder = tiny_world(1).network.decoder
    h_a, h_p = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, 9, dtype=torch.float64)
    split = SplitDecoder(copy.deepcopy(decoder), torch.float64)
    torch.testing.assert_close(split(h_a, split.prefix(h_p)), decoder(h_a, h_p)[0], rtol=1e-9, atol=1e-9)


def test_folding_leaves_no_batch_norm_of_a_convolution(tiny_world):
    network = tiny_world(1).network
    folded = copy.deepcopy(network.encoder)
    fold_batch_norms(folded)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    crops = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(folded(crops), network.encoder(crops), rtol=1e-9, atol=1e-9)


def test_the_judged_network_stays_untouched_and_the_outcome_agrees(tiny_world):
    world = tiny_world(12, torch.float32)
    before = copy.deepcopy(world.network.state_dict())
    config = AttackConfig(optimiser="adam", max_steps=40, step_size=0.1, min_error_mm=80, batch=5)
    outcomes = [
        appearance_attack(
            world.network,
            world.network,
            world.frames,
            world.plates,
            world.plate_index,
            config.having(backend=backend),
        )
        for backend in ("eager", "fused")
    ]
    after = world.network.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    eager, fused = outcomes
    assert abs(int(eager.success.sum()) - int(fused.success.sum())) <= 1
    torch.testing.assert_close(eager.initial_error_mm, fused.initial_error_mm, rtol=0, atol=1e-2)
    climbed = fused.status != Status.STARTED_ABOVE
    assert torch.equal(fused.success, (fused.final_error_mm > 80) & climbed)


def test_a_foreign_network_is_refused_by_name(linear_network, grey_frames):
    objective = Objective(linear_network(), linear_network(), grey_frames(0), False, True)
    with pytest.raises(NotFusable, match="eager"):
        fused_step(objective, (1,))
