"""ONNX Runtime under the Session protocol: a hand-made graph against NumPy, odd batches, memory that is
not contiguous, and honesty about the device and the missing package."""

import builtins
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from dpa.engine.sessions.errors import MissingPackage, ProviderUnavailable
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
WEIGHT = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def affine() -> bytes:
    """y = x W, twice = 2 y; x: [batch, 3] → [batch, 4]."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Add", ["y", "y"], ["twice"])]
    graph = helper.make_graph(
        nodes,
        "affine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("y", "twice")],
        [onnx.numpy_helper.from_array(WEIGHT, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


def test_signature_is_read_from_the_file() -> None:
    session = OnnxRuntimeSession(affine())
    assert [str(spec) for spec in session.inputs] == ["x: float32 [batch, 3]"]
    assert [spec.name for spec in session.outputs] == ["y", "twice"]
    assert (session.backend, session.device, session.providers) == (
        "onnxruntime",
        "cpu",
        ("CPUExecutionProvider",),
    )


@pytest.mark.parametrize("batch", [1, 3, 17, 257])
@pytest.mark.parametrize("threads", [None, 2])
def test_tensors_and_arrays_at_odd_batches(batch: int, threads: int | None) -> None:
    session = OnnxRuntimeSession(affine(), threads=threads)
    value = np.random.default_rng(batch).normal(size=(batch, 3)).astype(np.float32)
    truth = value.astype(np.float64) @ WEIGHT
    arrays, tensors = session.run(value), session.run({"x": torch.from_numpy(value)})
    for name, factor in (("y", 1), ("twice", 2)):
        np.testing.assert_allclose(arrays[name], factor * truth, atol=1e-5)
        np.testing.assert_array_equal(tensors[name].numpy(), arrays[name])


def test_strided_and_differentiable_inputs() -> None:
    session = OnnxRuntimeSession(affine())
    whole = torch.rand(6, 4, requires_grad=True)
    slanted = whole.t()[1:4].t()
    made = session.run(slanted)
    np.testing.assert_allclose(made["y"].numpy(), slanted.detach().double().numpy() @ WEIGHT, atol=1e-5)
    np.testing.assert_allclose(session.run(slanted.detach().numpy())["y"], made["y"].numpy(), atol=1e-6)


def test_results_do_not_share_memory_between_runs() -> None:
    session = OnnxRuntimeSession(affine())
    first = session.run(torch.ones(2, 3))["y"]
    kept = first.clone()
    session.run(torch.zeros(2, 3))
    assert torch.equal(first, kept)


def test_opens_from_a_path(tmp_path: Path) -> None:
    (tmp_path / "affine.onnx").write_bytes(affine())
    made = OnnxRuntimeSession(tmp_path / "affine.onnx").run(np.ones((1, 3), np.float32))
    np.testing.assert_allclose(made["y"][0], WEIGHT.sum(axis=0), atol=1e-6)


@pytest.mark.parametrize("device", ["tpu", "cuda:9"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    with pytest.raises(ProviderUnavailable):
        OnnxRuntimeSession(affine(), device=device)


def test_without_onnxruntime_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name, *rest, **named):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingPackage, match=r"dpa-engine\[cpu\]"):
        OnnxRuntimeSession(affine())
