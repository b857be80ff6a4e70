"""Engines as judges of attacks: flips counted against NumPy's own verdicts."""

import dataclasses

import numpy as np
import pytest
import torch

from dpa.engine.sessions.protocol import TorchSession
from dpa.export import build
from dpa.export.build import Job, make_engine
from dpa.export.graphs import build_graph
from dpa.export.parity import Trial, call_again, make_trial
from dpa.export.variants import choose_variants


def moved(network, clean, attacked) -> np.ndarray:
    """[N] mm, in NumPy, from the network's own predictions."""
    poses = [network.predict(frames).double().numpy() for frames in (clean, attacked)]
    return np.sqrt(((poses[1] - poses[0]) ** 2).sum(axis=-1)).mean(axis=-1)


@pytest.fixture(scope="module")
def trial(network, frames) -> Trial:
    """Darkened frames as attacked ones, half of them above the threshold, and the right verdicts."""
    clean, attacked = frames[:12], frames[:12] * 0.3
    errors = moved(network, clean, attacked)
    threshold = float(np.median(errors))
    return Trial(clean, attacked, threshold, torch.from_numpy(errors > threshold))


class Scaled(TorchSession):
    """Its poses are so many times as large, and so are their distances."""

    def __init__(self, graph, by: float) -> None:
        super().__init__(graph.module, graph.inputs, graph.outputs)
        self.by = by

    def run(self, feeds, *more):
        made = super().run(feeds, *more)
        return made | {"pose": made["pose"] * self.by} if "pose" in made else made


@pytest.mark.parametrize("name", ["pose", "encode", "regress"])
def test_torch_agrees_with_itself(network, trial, name: str) -> None:
    verdicts = call_again(network, build_graph(network, name), Scaled(build_graph(network, name), 1), trial)
    assert (verdicts.judged, verdicts.succeeded, verdicts.flips) == (12, 6, 0)
    assert verdicts.threshold_mm == trial.threshold_mm


@pytest.mark.parametrize("by", [0.0, 0.8, 1.25, 1e6])
def test_flips_are_verdicts_that_change(network, trial, by: float) -> None:
    graph = build_graph(network, "pose")
    errors = moved(network, trial.clean, trial.attacked)
    expected = int(((by * errors > trial.threshold_mm) != (errors > trial.threshold_mm)).sum())
    assert call_again(network, graph, Scaled(graph, by), trial).flips == expected
    assert by not in (0.0, 1e6) or expected == 6, "nobody, then everybody, is called attacked"


def test_attacked_frames_are_pictures_and_torch_judges_them(network, frames) -> None:
    made = make_trial(network, frames[:3])
    levels = made.attacked * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert made.attacked.shape == made.clean.shape and not torch.equal(made.attacked, made.clean)
    errors = moved(network, made.clean, made.attacked)
    assert made.succeeded.tolist() == (errors > made.threshold_mm).tolist() and made.threshold_mm == 175


def test_engines_that_can_judge_carry_their_verdicts(network, frames, trial, tmp_path, monkeypatch) -> None:
    def in_torch(path, variant, plan):
        graph = build_graph(network, path.name.split(".")[0])
        session = TorchSession(graph.module, graph.inputs, graph.outputs)
        session.backend = "onnxruntime"
        return session

    monkeypatch.setattr(build, "session_to_judge", in_torch)
    (variant,) = choose_variants(["onnx"], ["fp32"])
    quick = dataclasses.replace(variant, write=lambda _, graph, folder, __: folder / f"{graph.name}.onnx")
    job = Job(network, tmp_path, frames[:4], frames[4:8], {"fp32": 1.0}, (1,), trial)
    made = {name: make_engine(job, name, quick)[0].parity.verdicts for name in ("regress", "decode")}
    assert made["regress"].flips == 0 and made["decode"] is None, "a painter is no judge"
