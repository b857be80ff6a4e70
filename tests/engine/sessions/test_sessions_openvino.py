"""OpenVINO under the Session protocol: against NumPy, in fp32 and bf16, and what it refuses."""

import builtins
from importlib.util import find_spec

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from dpa.engine.sessions.engine_folder import open_engine
from dpa.engine.sessions.errors import MissingPackage, ProviderUnavailable, UnknownBackend
from dpa.engine.sessions.openvino_session import OpenVinoSession

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="needs the extra 'openvino'")
WEIGHT = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)


def affine() -> bytes:
    """y = x W; x: [batch, 64] → [batch, 4]."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "affine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [onnx.numpy_helper.from_array(WEIGHT, "w")],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    ).SerializeToString()


@needs_openvino
@pytest.mark.parametrize("batch", [1, 3, 17])
def test_tensors_and_arrays_at_odd_batches(batch: int) -> None:
    session = open_engine(affine(), "openvino", "fp32")
    assert [str(spec) for spec in session.inputs] == ["x: float32 [batch, 64]"]
    assert [spec.name for spec in session.outputs] == ["y"]
    assert (session.backend, session.device) == ("openvino", "cpu")
    value = np.random.default_rng(batch).normal(size=(batch, 64)).astype(np.float32)
    truth = value.astype(np.float64) @ WEIGHT
    first = session.run(torch.from_numpy(value))["y"]
    second = session.run(2 * value)["y"]
    np.testing.assert_allclose(first.numpy(), truth, atol=1e-4)
    np.testing.assert_allclose(second, 2 * truth, atol=1e-4)
    slanted = torch.from_numpy(np.ascontiguousarray(value.T)).t().requires_grad_()
    np.testing.assert_allclose(session.run(slanted)["y"].numpy(), truth, atol=1e-4)


@needs_openvino
def test_bf16_rounds_as_bf16_does() -> None:
    try:
        session = OpenVinoSession(affine(), "bf16")
    except ProviderUnavailable:
        pytest.skip("this CPU has no bf16")
    value = np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
    error = np.abs(session.run(value)["y"] - value.astype(np.float64) @ WEIGHT)
    # 64 products with relative error 2^-9 each: far from fp32, and far from wrong
    assert 1e-3 < error.max() < 0.3


@needs_openvino
def test_only_the_cpu() -> None:
    with pytest.raises(ProviderUnavailable):
        OpenVinoSession(affine(), device="cuda")


def test_without_openvino_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name, *rest, **named):
        if name == "openvino":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingPackage, match=r"dpa-engine\[openvino\]"):
        OpenVinoSession(affine())


def test_unknown_backend() -> None:
    with pytest.raises(UnknownBackend, match="abacus"):
        open_engine(affine(), "abacus", "fp32")
