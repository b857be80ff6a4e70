"""A recorded step gives what the step gives, whatever was recorded first. The recorder is a stand-in that,
like a CUDA graph, sees nothing but the memory it was shown; a GPU has a test of its own."""

import logging

import pytest
import torch

from dpa.engine.attack.objective import Objective
from dpa.engine.attack.steps.choice import named_step
from dpa.engine.attack.steps.eager import StepResult, eager_step, probe
from dpa.engine.attack.steps.fused import fused_step
from dpa.engine.attack.steps.graphed import graphed


class Recorder:
    """Records by keeping the work, replays by doing it again into the memory of the first time."""

    def __init__(self):
        self.replays = []

    def __call__(self, work, device):
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
    plain, recorder = fused_step(objective, (3, 5), torch.float64), Recorder()
    recorded = graphed(plain, recorder)
    assert (recorded.name, recorded.sizes) == ("fused", (3, 5))
    made = []
    for seed, rows in enumerate((3, 5, 3, 5, 3)):
        h_a, scene = probe(objective, recorded.prefix, rows, seed)
        before = h_a.clone()
        made.append((recorded.step(h_a, scene), plain.step(h_a, scene)))
        assert torch.equal(h_a, before)
    assert recorder.replays == [3, 3, 5, 5, 3, 5, 3], "the first one twice, to be compared"
    assert len({float(found.error[0]) for found, _ in made}) == 5
    for found, expected in made:  # after all calls: what was handed out is nobody's buffer
        torch.testing.assert_close(found.error, expected.error, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-9, atol=1e-9)


def test_plates_may_change_in_place(objective):
    plain = eager_step(objective, (2,))
    recorded = graphed(plain, Recorder())
    h_a, scene = probe(objective, plain.prefix, 2, seed=0)
    first = recorded.step(h_a, scene)
    objective.plates.mul_(0.5)
    second = recorded.step(h_a, scene)
    assert (first.error - second.error).abs().min() > 1e-3
    torch.testing.assert_close(second.error, plain.step(h_a, scene).error, rtol=1e-9, atol=1e-9)


def test_what_cannot_be_recorded_runs_as_it_is_and_says_so_once(objective, caplog):
    def refuse(work, device):
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might")

    plain = eager_step(objective, (2, 3))
    recorded = graphed(plain, refuse)
    for rows in (2, 3, 2):
        h_a, scene = probe(objective, plain.prefix, rows, seed=rows)
        expected = plain.step(h_a, scene).gradient
        torch.testing.assert_close(recorded.step(h_a, scene).gradient, expected, rtol=1e-9, atol=1e-9)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line == ("step: eager without a CUDA graph: operation not permitted when stream is capturing")


def test_a_recording_that_does_not_do_the_steps_work_is_refused(objective, caplog):
    """As one made on another device's stream: nothing is in it, and the results of the warm-up stay."""

    class Empty:
        def replay(self):
            """Nothing."""

    plain = eager_step(objective, (2,))
    recorded = graphed(plain, lambda work, device: (work(), Empty()))
    for seed in range(2):
        h_a, scene = probe(objective, plain.prefix, 2, seed)
        assert torch.equal(recorded.step(h_a, scene).gradient, plain.step(h_a, scene).gradient)
    (line,) = caplog.messages
    assert line.startswith("step: eager without a CUDA graph: a replay is off by")


def test_memory_that_runs_out_is_the_schedulers_business(objective, caplog):
    full = True

    def record(work, device):
        if full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Recorder()(work, device)

    recorded = graphed(eager_step(objective, (2,)), record)
    h_a, scene = probe(objective, recorded.prefix, 2, seed=0)
    with pytest.raises(torch.OutOfMemoryError):
        recorded.step(h_a, scene)
    full = False
    assert isinstance(recorded.step(h_a, scene), StepResult)
    assert not caplog.records


def test_on_a_cpu_nothing_is_recorded(tiny_world, monkeypatch):
    world = tiny_world(1, torch.float32)
    monkeypatch.setattr("dpa.engine.attack.steps.choice.graphed", None)
    named_step("fused", Objective(world.network, world.network, world.plates, False, True), (2,))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: records a CUDA graph")
@pytest.mark.parametrize("place", range(max(1, torch.cuda.device_count())))
def test_a_cuda_graph_gives_what_the_step_gives(tiny_world, caplog, place):
    """On the current device and on every other one; after plates changed, and with one pool for all sizes."""
    world = tiny_world(2, torch.float32)
    device = torch.device("cuda", place)
    network, plates = world.network.to(device), world.plates.to(device)
    objective = Objective(network, network, plates, freeze_box=False, clamp=True)
    plain, recorded = fused_step(objective, (4, 8)), named_step("fused", objective, (4, 8))
    for seed, rows in enumerate((4, 8, 4, 8)):
        h_a, scene = probe(objective, recorded.prefix, rows, seed)
        plates.mul_(0.9)
        found, expected = recorded.step(h_a, scene), plain.step(h_a, scene)
        torch.testing.assert_close(found.error, expected.error, rtol=1e-3, atol=1e-2)
        cosine = torch.cosine_similarity(found.gradient, expected.gradient)
        assert cosine.min() > 0.999
    assert not caplog.records, "recorded, not fallen back"
