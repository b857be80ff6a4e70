"""Peers reach what their formula says, in the attack's own worlds; each test needs the extra `peers`."""

import sys

import pytest
import torch

from dpa.bench.attack_contenders import UnknownContender, make_contenders
from dpa.bench.attack_rows import Task
from dpa.bench.peers import PEERS, ErrorOfCode, art_unit_steps, foolbox_adam, peer_attack
from dpa.bench.step import first_scene
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.optimisers import make_update
from dpa.engine.attack.state import fresh_state
from dpa.engine.sessions.errors import MissingPackage


@pytest.fixture
def task(tiny_world):
    world = tiny_world(3, torch.float32)
    return Task(world.network, world.network, world.frames, world.plates, world.plate_index)


def ascend(model, h_a, steps, follow):
    """The same loop written by hand; follow: (h_a, gradient) → the next h_a."""
    for _ in range(steps):
        leaf = h_a.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(leaf).sum(), leaf)
        h_a = follow(h_a, gradient)
    return h_a


def model_of(task):
    h_a, scene = first_scene(task)
    objective = Objective(task.generator, task.target, task.plates, False, True)
    return ErrorOfCode(objective, scene).eval(), h_a


def test_foolbox_is_adam_on_our_objective(task):
    pytest.importorskip("foolbox", reason="needs the extra peers")
    model, h_a = model_of(task)
    state, update = fresh_state(h_a), make_update("adam", 0.1, 175)

    def follow(code, gradient):
        nonlocal state
        code, state = update(code, gradient, torch.zeros(len(code)), state)
        return code

    expected = ascend(model, h_a, 4, follow)
    torch.testing.assert_close(foolbox_adam(model, h_a, 0.1, 4), expected, rtol=0, atol=5e-3)


def test_art_takes_unit_steps_on_our_objective(task):
    pytest.importorskip("art", reason="needs the extra peers")
    model, h_a = model_of(task)
    length = 0.1 * h_a.shape[1] ** 0.5
    expected = ascend(model, h_a, 4, lambda code, g: code + length * g / g.norm(dim=1, keepdim=True))
    torch.testing.assert_close(art_unit_steps(model, h_a, 0.1, 4), expected, rtol=0, atol=5e-3)


def test_every_sample_is_computed_at_every_step(task):
    config = AttackConfig(optimiser="adam")
    made = peer_attack(lambda model, h_a, step_size, steps: h_a, task, config, steps=7)
    assert made.computed == 3 * 7
    assert torch.equal(made.before, made.after)


@pytest.mark.parametrize(("name", "module"), [("foolbox", "foolbox"), ("art", "art.attacks.evasion")])
def test_without_the_package_it_names_the_extra(task, monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    model, h_a = model_of(task)
    with pytest.raises(MissingPackage, match="peers"):
        PEERS[name](model, h_a, 0.1, 1)


def test_a_peer_that_cannot_express_the_objective_says_why(task):
    with pytest.raises(UnknownContender, match="cross-entropy of class labels"):
        make_contenders(["torchattacks"], task, AttackConfig(optimiser="adam"), plain_batch=2)
