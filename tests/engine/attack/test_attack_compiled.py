"""The compiled step: exact against eager in fp32, refused where its gradient is not eager's."""

import dataclasses
import math

import pytest
import torch

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.steps.choice import automatic, fastest
from dpa.engine.attack.steps.compiled import (
    NoExporter,
    WrongGradient,
    admit,
    compare,
    compiled_step,
    session_step,
)
from dpa.engine.attack.steps.eager import StepResult, eager_step, probe
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.export.gradient import CachedGradients, GradientModule
from dpa.models.frameworks import make_network
from dpa.models.networks.decoder import Decoder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DPA_CACHE", str(tmp_path))
    return tmp_path


def objective_of(world, freeze_box=False):
    return Objective(world.network, world.network, world.plates, freeze_box, clamp=True)


def spoilt(objective, change):
    """An eager step whose result is changed before it is handed out."""
    eager = eager_step(objective, (4,))
    return dataclasses.replace(eager, name="spoilt", step=lambda *given: change(eager.step(*given)))


def assert_exported_is(objective):
    """The module's error and gradient at a probe, against eager's."""
    module = GradientModule(objective)
    h_a, scene = probe(objective, module.decoder.prefix, 5, seed=0)
    truth = eager_step(objective, (5,)).step(h_a, scene)
    leaf = h_a.requires_grad_()
    background = objective.plates[scene.plate_index]
    error = module(leaf, scene.prefix, scene.mask, scene.box, background, scene.reference)
    (gradient,) = torch.autograd.grad(error.sum(), leaf)
    assert truth.gradient.norm() > 0.1
    torch.testing.assert_close(error.detach(), truth.error, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, truth.gradient, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("freeze_box", [False, True])
def test_the_module_that_is_exported_is_the_objective(tiny_world, freeze_box):
    assert_exported_is(objective_of(tiny_world(3), freeze_box))


def test_so_it_is_with_a_decoder_that_paints_in_a_way_of_its_own(tiny_world):
    """silhouette's, whose appearance code another network's pose does depend on."""
    world = tiny_world(3)
    torch.manual_seed(5)
    painter = make_network(world.network.config, "silhouette").to(world.frames.dtype)
    assert type(painter.decoder) is not Decoder
    assert_exported_is(Objective(painter.eval(), world.network, world.plates, False, clamp=True))


def test_no_gradient_agrees_with_none_and_with_nothing_else(tiny_world):
    objective = objective_of(tiny_world(3))
    still = spoilt(objective, lambda made: StepResult(made.error, torch.zeros_like(made.gradient)))
    refused = compare(still, objective)
    assert not refused.admitted and math.isfinite(refused.length)


def test_the_graph_is_eagers_at_any_batch_and_to_the_end(tiny_world, cache):
    """One export for all, because it takes seconds."""
    world = tiny_world(6, torch.float32)
    objective = objective_of(world)
    session = OnnxRuntimeSession(CachedGradients().graph(objective))
    for size in (1, 2, 9):
        compiled, eager = session_step(objective, (size,), session), eager_step(objective, (size,))
        h_a, scene = probe(objective, compiled.prefix, size, seed=size)
        ours, truth = compiled.step(h_a, scene), eager.step(h_a, scene)
        torch.testing.assert_close(ours.error, truth.error, rtol=1e-4, atol=1e-3)
        assert torch.cosine_similarity(ours.gradient, truth.gradient).min() > 0.999
        torch.testing.assert_close(ours.gradient.norm(dim=1), truth.gradient.norm(dim=1), rtol=1e-2, atol=0)
        assert truth.gradient.norm(dim=1).min() > 0
    config = AttackConfig(optimiser="adam", max_steps=25, step_size=0.1, min_error_mm=80, batch=4)
    eager, compiled = (
        appearance_attack(
            world.network,
            world.network,
            world.frames,
            world.plates,
            world.plate_index,
            config.having(backend=backend),
            exporter=CachedGradients(),
        )
        for backend in ("eager", "compiled")
    )
    assert torch.equal(eager.success, compiled.success)
    torch.testing.assert_close(compiled.final_error_mm, eager.final_error_mm, rtol=0, atol=2)
    assert len(list((cache / "step-graphs").iterdir())) == 1, "exported once"


def constant(step):
    """The gradient of the first row for every row, as a graph with a constant baked in has it."""
    return dataclasses.replace(step, gradient=step.gradient[:1].expand_as(step.gradient))


@pytest.mark.parametrize(
    "change",
    [
        constant,
        lambda step: dataclasses.replace(step, gradient=-step.gradient),
        lambda step: dataclasses.replace(step, gradient=1.1 * step.gradient),
        lambda step: dataclasses.replace(step, gradient=torch.full_like(step.gradient, torch.nan)),
        lambda step: dataclasses.replace(step, error=step.error + 1),
    ],
    ids=["constant", "opposite", "longer", "nan", "value"],
)
def test_a_wrong_step_is_refused_with_its_figures(tiny_world, change):
    objective = objective_of(tiny_world(2, torch.float32))
    with pytest.raises(WrongGradient, match=r"spoilt is refused: error off by at most .* mm, cosine"):
        admit(spoilt(objective, change), objective)


def test_eager_agrees_with_itself(tiny_world):
    objective = objective_of(tiny_world(2, torch.float32))
    agreement = compare(eager_step(objective, (4,)), objective)
    assert (agreement.error_mm, agreement.length) == (0, 0) and agreement.cosine > 1 - 1e-5


def test_without_an_exporter_it_says_so(tiny_world):
    with pytest.raises(NoExporter, match=r"dpa\.export\.gradient"):
        compiled_step(objective_of(tiny_world(1, torch.float32)), (1,), None)


def test_what_is_kept_depends_on_the_weights(tiny_world, cache):
    one, other = (objective_of(tiny_world(1, torch.float32, seed=seed)) for seed in (0, 1))
    maker = CachedGradients()
    assert not maker.kept(one)
    maker.graph(one)
    assert maker.kept(one) and not maker.kept(other)
    assert not maker.kept(dataclasses.replace(one, freeze_box=True))


def test_a_kept_graph_is_run_only_as_it_was_kept(tiny_world, cache, caplog):
    objective, maker = objective_of(tiny_world(1, torch.float32)), CachedGradients()
    made = maker.graph(objective)
    (kept,) = (cache / "step-graphs").iterdir()
    kept.write_bytes(made[:-1] + bytes([made[-1] ^ 1]))
    assert not maker.kept(objective)
    assert maker.graph(objective) == made and "damaged, and made again" in caplog.text
    assert [path.read_bytes() for path in (cache / "step-graphs").iterdir()] == [made]


@pytest.fixture
def takes(tiny_world, monkeypatch):
    """(name, seconds of each call) → maker of a step that takes so long by a clock of the test's own, and the
    objective."""
    objective, clock = objective_of(tiny_world(2, torch.float32)), [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def make(name, *seconds):
        eager, left = eager_step(objective, (4,)), list(seconds)

        def step(h_a, scene):
            clock[0] += left.pop(0)
            return eager.step(h_a, scene)

        return lambda: dataclasses.replace(eager, name=name, step=step)

    return make, objective


def test_auto_takes_the_fastest_and_says_which(takes, caplog):
    make, objective = takes
    slow_start, steady = make("a", 9, 2, 1, 2), make("b", 1, 1.5, 1.5, 1.5)
    picked = fastest({"a": slow_start, "b": steady}, objective, 4)
    assert picked.name == "a"
    assert picked.note == "a, the fastest in a short warm-up (samples/s of a step: a 4, b 3)"
    assert f"step: {picked.note}" in caplog.text
    plainer, hardly_faster = make("a", 1, 1.1, 1.1, 1.1), make("b", 1, 1, 1, 1)
    assert fastest({"a": plainer, "b": hardly_faster}, objective, 4).name == "a", "a tie goes to the plainer"


@pytest.mark.parametrize("when", ["made", "called"])
def test_auto_leaves_out_what_fails_whatever_it_raises(takes, caplog, when):
    """A driver's error is of no class that anybody here knows."""
    make, objective = takes

    def broken(*_):
        raise LookupError("cudnnException\nwith a second line")

    def makes_a_broken_one():
        return dataclasses.replace(make("b")(), step=broken)

    picked = fastest(
        {"a": make("a", 1, 1, 1, 1), "b": broken if when == "made" else makes_a_broken_one}, objective, 4
    )
    assert picked.name == "a"
    (line,) = [message for message in caplog.messages if "not b" in message]
    assert line == "step: not b: cudnnException"


def test_auto_does_not_hide_that_the_plain_step_fails(takes):
    make, objective = takes
    with pytest.raises(IndexError):
        fastest({"a": make("a")}, objective, 4)


def test_auto_tries_what_needs_no_export_at_the_batch_that_will_run(tiny_world, cache):
    picked = automatic(objective_of(tiny_world(2, torch.float32)), (4, 8))
    assert "eager" in picked.note and "fused" in picked.note and "compiled" not in picked.note
    assert picked.name in ("eager", "fused") and picked.sizes == (4, 8)


def test_auto_takes_eager_for_networks_whose_inside_nobody_knows(linear_network, grey_frames, caplog):
    network = linear_network()
    plates = grey_frames(0).contiguous()
    picked = automatic(Objective(network, network, plates, False, True), (2,))
    assert picked.name == "eager"
    assert "not fused" in caplog.text
