"""The attack on frameworks that it does not know: the plain step, and transfer to compiled programs."""

import logging

import pytest
import torch
from torch import Tensor, nn

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.steps.choice import make_backend
from dpa.models.frameworks.foreign import ForeignNetwork
from dpa.models.frameworks.program import wrap_program


class Same(nn.Module):
    """A network of the project's, offered as a framework of one's own."""

    def __init__(self, network) -> None:
        super().__init__()
        self.network = network
        self.crop_size, self.localiser_size = network.crop_size, network.localiser_size
        self.localise, self.encode = network.localise_thumbnails, network.encode
        self.decode, self.regress = network.decode, network.regress


class Frames(nn.Module):
    """A network as frames → poses."""

    def __init__(self, network) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.network.predict(frames)


SETTINGS = AttackConfig(protocol="paper", max_steps=15, min_error_mm=60)


def attack(generator, target, world, **settings):
    return appearance_attack(
        generator,
        target,
        world.frames,
        world.plates,
        world.plate_index,
        SETTINGS.having(protocol=None, optimiser="adam", backend="eager").having(**settings),
    )


def test_a_foreign_network_is_attacked_as_the_same_network_is(tiny_world, caplog) -> None:
    world = tiny_world(4, torch.float32)
    foreign = ForeignNetwork(Same(world.network), "same")
    own = attack(world.network, world.network, world)
    with caplog.at_level(logging.WARNING):
        brought = attack(foreign, foreign, world, backend="fused")
    assert [record.message for record in caplog.records if "eager" in record.message] == [
        "step: eager, as fused does not know the inside of same"
    ]
    assert own.success.any()
    for name in ("success", "iterations", "final_error_mm", "h_a", "adversarial_frame"):
        torch.testing.assert_close(getattr(brought, name), getattr(own, name))


def test_only_what_is_foreign_steps_plainly(tiny_world) -> None:
    world = tiny_world(1, torch.float32)
    foreign = ForeignNetwork(Same(world.network), "same")
    fused = AttackConfig(backend="fused")
    assert make_backend(world.network, world.network, world.plates, fused).name == "fused"
    assert make_backend(world.network, foreign, world.plates, fused).name == "eager"
    assert make_backend(foreign, world.network, world.plates, fused).name == "eager"


@pytest.mark.filterwarnings("ignore")
def test_transfer_to_a_program_succeeds_only_by_the_programs_word(tiny_world) -> None:
    """The program is the generator's own network: the same attack. Then one that always says 0: never."""
    world = tiny_world(4, torch.float32)
    traced = torch.jit.trace(Frames(world.network), world.frames[:2])
    own = attack(world.network, world.network, world)
    transferred = attack(world.network, wrap_program(traced, "program"), world)
    torch.testing.assert_close(transferred.final_error_mm, own.final_error_mm)
    assert torch.equal(transferred.success, own.success) and own.success.any()
    deaf = torch.jit.trace(lambda frames: frames.new_zeros(frames.shape[0], 17, 3), world.frames[:2])
    refused = attack(world.network, wrap_program(deaf, "deaf"), world)
    assert not refused.success.any() and (refused.final_error_mm == 0).all()
