"""Well-formed ONNX files that a back-end does not take, or gives up on in a run: named, whatever it
raises itself."""

from importlib.util import find_spec

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from dpa.engine.sessions.engine_folder import open_engine
from dpa.engine.sessions.errors import RefusedModel, RunFailed, failures_named
from dpa.models.errors import DpaError

PACKAGES = {"onnxruntime": "cpu", "openvino": "openvino"}


@pytest.fixture(params=PACKAGES)
def backend(request) -> str:
    if find_spec(request.param) is None:
        pytest.skip(f"needs the extra {PACKAGES[request.param]!r}")
    return request.param


def model(op: str, *constants: np.ndarray, dtype: int = TensorProto.FLOAT) -> bytes:
    """y = op(x, constants); x, y: [batch, 2]."""
    names = [f"c{number}" for number in range(len(constants))]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], ["y"])],
        "one node",
        [helper.make_tensor_value_info("x", dtype, ["batch", 2])],
        [helper.make_tensor_value_info("y", dtype, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in zip(names, constants, strict=True)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return made.SerializeToString()


def test_an_operator_that_does_not_exist(backend: str) -> None:
    with pytest.raises(RefusedModel, match="refuses the model"):
        open_engine(model("Disentangle"), backend, "fp32")


def test_a_type_that_no_session_speaks(backend: str) -> None:
    with pytest.raises(RefusedModel):
        open_engine(model("Identity", dtype=TensorProto.DOUBLE), backend, "fp32")


def test_a_run_that_breaks_off() -> None:
    """A batch of 3 times 2 numbers does not reshape to 4 x 2; OpenVINO does not look."""
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    session = open_engine(model("Reshape", np.array([4, 2])), "onnxruntime", "fp32")
    np.testing.assert_array_equal(session.run(np.ones((4, 2), np.float32))["y"], np.ones((4, 2)))
    with pytest.raises(RunFailed, match="while running"):
        session.run(np.ones((3, 2), np.float32))


def test_a_named_error_keeps_its_name() -> None:
    with pytest.raises(DpaError) as caught, failures_named("Abacus"):
        raise DpaError("first named")
    assert type(caught.value) is DpaError
    with pytest.raises(RunFailed, match="Abacus failed while running: bead lost"), failures_named("Abacus"):
        raise OSError("bead lost\nsecond line")


def test_stdout_stays_clean(capfd) -> None:
    """ONNX Runtime's own retry prints to stdout, where results go."""
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    with pytest.raises(RefusedModel):
        open_engine(model("Identity").replace(b"\x01y", b"\x01\xff"), "onnxruntime", "fp32")
    assert capfd.readouterr().out == ""
