"""The exported pose graph behind the attack's initial predictions: made once, compared with torch,
replaced by torch whenever it cannot be trusted."""

import copy
import logging

import pytest
import torch

from dpa.engine.sessions.errors import MissingPackage
from dpa.engine.sessions.protocol import TorchSession
from dpa.export import cached_pose
from dpa.export.cached_pose import FILE, cached_pose_session
from dpa.export.graphs import build_graph

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")


@pytest.fixture(scope="module")
def cache(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    cached_pose_session(network, folder)
    return folder


@pytest.fixture
def no_export(monkeypatch):
    """From here on nothing may be exported again."""
    monkeypatch.setattr(cached_pose, "export_onnx", lambda *_: pytest.fail("exported again"))


@pytest.mark.parametrize("batch", [1, 3, 17])
def test_poses_are_torchs_at_odd_batches(network, frames, cache, no_export, caplog, batch: int) -> None:
    with caplog.at_level(logging.INFO, logger="dpa"):
        predict = cached_pose_session(network, cache)
        made = predict(frames[:batch])
    assert "ONNX Runtime" in caplog.text
    assert made.shape == (batch, 17, 3)
    assert (made - network.predict(frames[:batch])).norm(dim=-1).mean() < 0.01
    assert not torch.equal(made, network.predict(frames[:batch])), "this was torch itself"


def test_other_weights_are_another_engine(network, frames, cache) -> None:
    changed = copy.deepcopy(network)
    changed.regressor.layers[-1].bias.data += 1
    made = cached_pose_session(changed, cache)(frames[:3])
    assert (made - changed.predict(frames[:3])).norm(dim=-1).mean() < 0.01
    assert len(list((cache / "pose-engines").iterdir())) == 2


def test_a_damaged_cache_is_made_anew(network, frames, tmp_path, caplog) -> None:
    cached_pose_session(network, tmp_path)
    (path,) = tmp_path.glob(f"pose-engines/*/{FILE}")
    path.write_bytes(path.read_bytes()[:-1])
    made = cached_pose_session(network, tmp_path)(frames[:3])
    assert "exporting again" in caplog.text
    assert (made - network.predict(frames[:3])).norm(dim=-1).mean() < 0.01


def test_without_onnxruntime_torch_answers_with_one_line(network, frames, cache, monkeypatch, caplog) -> None:
    def missing(*_, **__):
        raise MissingPackage("onnxruntime", "cpu")

    monkeypatch.setattr("dpa.engine.sessions.engine_folder.OnnxRuntimeSession", missing)
    made = cached_pose_session(network, cache)(frames[:3])
    assert torch.equal(made, network.predict(frames[:3]))
    (line,) = caplog.messages
    assert "onnxruntime" in line and "torch" in line and "\n" not in line


def test_an_engine_off_on_real_frames_is_not_used(network, frames, cache, monkeypatch, caplog) -> None:
    class Off(TorchSession):
        def run(self, feeds, *more):
            made = super().run(feeds, *more)
            return made | {"pose": made["pose"] + 1}

    graph = build_graph(network, "pose")
    monkeypatch.setattr(cached_pose, "_open", lambda *_: Off(graph.module, graph.inputs, graph.outputs))
    made = cached_pose_session(network, cache)(frames[:3])
    assert torch.equal(made, network.predict(frames[:3]))
    assert "mm" in caplog.text and "torch" in caplog.text
