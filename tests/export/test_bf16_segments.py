"""bf16 on OpenVINO leaves the localiser and φ in fp32, and running a model in pieces changes nothing."""

import pytest
import torch

from dpa.engine.sessions.errors import ProviderUnavailable
from dpa.engine.sessions.openvino_session import OpenVinoSession, Segment, split
from dpa.export.graphs import build_graph
from dpa.export.onnx_export import onnx_bytes

openvino = pytest.importorskip("openvino", reason="needs the extra 'openvino'")


@pytest.fixture(scope="module")
def pose(network) -> bytes:
    return onnx_bytes(build_graph(network, "pose"))


def signature(parts: list[Segment]) -> list[tuple]:
    return [(part.inputs, part.outputs, part.precision) for part in parts]


def test_where_a_pose_graph_is_cut(pose: bytes) -> None:
    assert signature(split(openvino.Core().read_model(pose))) == [
        (("frames",), ("cut0", "box"), "f32"),
        (("cut0",), ("cut1",), "bf16"),
        (("cut1",), ("pose",), "f32"),
    ]


def test_what_has_no_convolution_is_one_piece(network) -> None:
    regress = openvino.Core().read_model(onnx_bytes(build_graph(network, "regress")))
    assert signature(split(regress)) == [(("h_p",), ("pose",), "bf16")]


def test_pieces_in_fp32_give_the_whole(pose: bytes, network, frames, monkeypatch) -> None:
    """The cuts themselves are exact: with fp32 in every piece nothing is left of bf16's error."""

    def in_fp32(model) -> list[Segment]:
        return [Segment(part.model, "f32", part.inputs, part.outputs) for part in split(model)]

    monkeypatch.setattr("dpa.engine.sessions.openvino_session.split", in_fp32)
    made = OpenVinoSession(pose, "bf16").run(frames[:5])
    torch.testing.assert_close(made["pose"], network.predict(frames[:5]), rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("batch", [1, 3, 17])
def test_bf16_is_near_and_the_box_is_fp32(pose: bytes, network, frames, batch: int) -> None:
    try:
        made = OpenVinoSession(pose, "bf16").run(frames[:batch])
    except ProviderUnavailable:
        pytest.skip("this CPU has no bf16")
    torch.testing.assert_close(made["box"], network.localise(frames[:batch]), rtol=1e-5, atol=1e-5)
    truth = network.predict(frames[:batch])
    error = (made["pose"] - truth).norm() / truth.norm()
    assert 1e-6 < error < 0.02
