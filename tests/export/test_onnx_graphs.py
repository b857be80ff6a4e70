"""Every graph as ONNX against torch: odd batches, other frame sizes, same bytes, and the exporter's
silent faults."""

import onnx
import pytest
import torch
from torch import nn

from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import TensorSpec
from dpa.export.graphs import GRAPHS, Graph, UnknownGraph, build_graph
from dpa.export.onnx_export import ExportFailed, export_onnx, onnx_bytes

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")


@pytest.fixture(scope="module", params=list(GRAPHS))
def exported(request, network, tmp_path_factory):
    graph = build_graph(network, request.param)
    return graph, export_onnx(graph, tmp_path_factory.mktemp("onnx") / "graph.onnx")


def inputs(graph: Graph, batch: int, height: int, width: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(batch)
    free = {0: batch, 2: height, 3: width}
    return [
        torch.rand([free[a] if s is None else s for a, s in enumerate(spec.shape)], generator=generator)
        for spec in graph.inputs
    ]


@pytest.mark.parametrize(
    ("batch", "height", "width"), [(1, 40, 40), (3, 37, 64), (17, 128, 24), (256, 24, 24)]
)
def test_onnx_gives_what_torch_gives(exported, batch: int, height: int, width: int) -> None:
    graph, path = exported
    values = inputs(graph, batch, height, width)
    made = OnnxRuntimeSession(path).run(*values)
    truth = graph.module(*values)
    truth = truth if isinstance(truth, tuple) else (truth,)
    for spec, expected in zip(graph.outputs, truth, strict=True):
        slack = 2e-3 if spec.name == "pose" else 1e-5  # poses are hundreds of mm, codes and colours about 1
        torch.testing.assert_close(made[spec.name], expected, rtol=1e-5, atol=slack)


def test_one_file_in_the_stated_opset_without_traces_of_this_machine(exported) -> None:
    graph, path = exported
    model = onnx.load(path, load_external_data=False)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    assert not any(t.data_location for t in model.graph.initializer)
    assert b".py" not in path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    session = OnnxRuntimeSession(path)
    assert (session.inputs, session.outputs) == (graph.inputs, graph.outputs)


def test_the_same_network_gives_the_same_bytes(network) -> None:
    graph = build_graph(network, "regress")
    assert onnx_bytes(graph) == onnx_bytes(graph)


def test_pose_graph_is_the_networks_own_prediction(network, frames) -> None:
    pose, box = build_graph(network, "pose").module(frames)
    torch.testing.assert_close(pose, network.predict(frames))
    torch.testing.assert_close(box, network.localise(frames))
    assert box.std(dim=0).min() > 1e-3, "boxes that do not move would test nothing"


def test_unknown_graph(network) -> None:
    with pytest.raises(UnknownGraph, match="pose, encode, decode, regress"):
        build_graph(network, "gradient")


class BakesItsBatch(nn.Module):
    """What tracing makes of a module that reads its batch as a Python number."""

    def forward(self, x):
        return x.reshape(int(torch.tensor(x.shape[0])), -1)


class Unexportable(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize("module", [BakesItsBatch(), Unexportable()])
def test_what_cannot_be_exported_is_named(module: nn.Module, tmp_path) -> None:
    graph = Graph("odd", module, (TensorSpec("x", (None, 4)),), (TensorSpec("y", (None, 4)),))
    with pytest.raises(ExportFailed, match="odd"):
        export_onnx(graph, tmp_path / "odd.onnx")
    assert not list(tmp_path.iterdir())
