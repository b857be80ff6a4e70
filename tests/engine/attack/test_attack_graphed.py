"""A recorded step gives what the step gives, whatever was recorded first. The recorder is a stand-in that,
like a CUDA graph, sees nothing but the memory it was shown; a GPU has a test of its own."""

import logging

import pytest
import torch

from dpa.engine.attack.objective import Objective
from dpa.engine.attack.steps.choice import fused_step
from dpa.engine.attack.steps.eager import EagerStep, StepResult, probe
from dpa.engine.attack.steps.fused import FusedStep
from dpa.engine.attack.steps.graphed import GraphedStep


class Recorder:
    """Records by keeping the work, replays by doing it again into the memory of the first time."""

    def __init__(self):
        self.replays = []

    def __call__(self, work):
        made = work()
        recorder = self

        class Recording:
            def replay(self):
                recorder.replays.append(len(made))
                again = work()
                made.error.copy_(again.error)
                made.gradient.copy_(again.gradient)

        return made, Recording()


@pytest.fixture
def objective(tiny_world):
    world = tiny_world(2)
    return Objective(world.network, world.network, world.plates, freeze_box=False, clamp=True)


def test_replays_are_the_step_itself_at_every_size(objective):
    plain, recorder = FusedStep(objective, (3, 5), torch.float64), Recorder()
    graphed = GraphedStep(plain, recorder)
    assert (graphed.name, graphed.sizes) == ("fused", (3, 5))
    made = []
    for seed, rows in enumerate((3, 5, 3, 5, 3)):
        h_a, scene = probe(objective, graphed.prefix, rows, seed)
        before = h_a.clone()
        made.append((graphed(h_a, scene), plain(h_a, scene)))
        assert torch.equal(h_a, before)
    assert recorder.replays == [3, 5, 3, 5, 3]
    assert len({float(found.error[0]) for found, _ in made}) == 5
    for found, expected in made:  # after all calls: what was handed out is nobody's buffer
        torch.testing.assert_close(found.error, expected.error, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-9, atol=1e-9)


def test_plates_may_change_in_place(objective):
    plain = EagerStep(objective, (2,))
    graphed = GraphedStep(plain, Recorder())
    h_a, scene = probe(objective, plain.prefix, 2, seed=0)
    first = graphed(h_a, scene)
    objective.plates.mul_(0.5)
    second = graphed(h_a, scene)
    assert (first.error - second.error).abs().min() > 1e-3
    torch.testing.assert_close(second.error, plain(h_a, scene).error, rtol=1e-9, atol=1e-9)


def test_what_cannot_be_recorded_runs_as_it_is_and_says_so_once(objective, caplog):
    def refuse(work):
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might")

    plain = EagerStep(objective, (2, 3))
    graphed = GraphedStep(plain, refuse)
    for rows in (2, 3, 2):
        h_a, scene = probe(objective, plain.prefix, rows, seed=rows)
        expected = plain(h_a, scene).gradient
        torch.testing.assert_close(graphed(h_a, scene).gradient, expected, rtol=1e-9, atol=1e-9)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line == (
        "step: eager without a CUDA graph, which cannot be recorded: "
        "operation not permitted when stream is capturing"
    )


def test_memory_that_runs_out_is_the_schedulers_business(objective, caplog):
    full = True

    def record(work):
        if full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Recorder()(work)

    graphed = GraphedStep(EagerStep(objective, (2,)), record)
    h_a, scene = probe(objective, graphed.prefix, 2, seed=0)
    with pytest.raises(torch.OutOfMemoryError):
        graphed(h_a, scene)
    full = False
    assert isinstance(graphed(h_a, scene), StepResult)
    assert not caplog.records


def test_on_a_cpu_nothing_is_recorded(tiny_world):
    world = tiny_world(1, torch.float32)
    made = fused_step(Objective(world.network, world.network, world.plates, False, True), (2,))
    assert type(made) is FusedStep


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: records a CUDA graph")
def test_a_cuda_graph_gives_what_the_step_gives(tiny_world, caplog):
    world = tiny_world(2, torch.float32)
    network, plates = world.network.cuda(), world.plates.cuda()
    graphed = fused_step(Objective(network, network, plates, freeze_box=False, clamp=True), (4, 8))
    assert isinstance(graphed, GraphedStep)
    for seed, rows in enumerate((4, 8, 4)):
        h_a, scene = probe(graphed.step.objective, graphed.prefix, rows, seed)
        found, expected = graphed(h_a, scene), graphed.step(h_a, scene)
        torch.testing.assert_close(found.error, expected.error, rtol=1e-3, atol=1e-2)
        cosine = torch.cosine_similarity(found.gradient, expected.gradient)
        assert cosine.min() > 0.999
    assert not caplog.records, "recorded, not fallen back"
