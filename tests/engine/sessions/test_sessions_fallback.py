"""The stated order of back-ends: what is passed over, what is not, and what the log says."""

import logging

import pytest
from torch import nn

from dpa.engine.sessions.engine_folder import ORDER, NoBackend, first_working
from dpa.engine.sessions.errors import ChangedFile, MissingPackage, ProviderUnavailable
from dpa.engine.sessions.protocol import TorchSession


def torch_session() -> TorchSession:
    return TorchSession(nn.Identity(), (), ())


def missing():
    raise MissingPackage("onnxruntime", "cpu")


def no_device():
    raise ProviderUnavailable("runs on the CPU", "CUDA", "ask for cpu")


def changed():
    raise ChangedFile("other bytes", "the exported bytes", "export again")


def test_order_is_stated() -> None:
    assert ORDER == ("tensorrt", "onnxruntime", "openvino", "torch")


def test_first_that_works_with_one_line_about_the_others(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        session = first_working({"torch": torch_session, "onnxruntime": missing, "tensorrt": no_device})
    assert session.backend == "torch"
    (line,) = caplog.messages
    assert "onnxruntime" in line and "dpa-engine[cpu]" in line and "\n" not in line


def test_the_order_decides_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        first_working({"torch": missing, "onnxruntime": torch_session})
    assert not caplog.messages


def test_nothing_left() -> None:
    with pytest.raises(NoBackend, match="onnxruntime"):
        first_working({"onnxruntime": missing})


def test_a_refused_file_is_not_passed_over() -> None:
    with pytest.raises(ChangedFile):
        first_working({"onnxruntime": changed, "torch": torch_session})
