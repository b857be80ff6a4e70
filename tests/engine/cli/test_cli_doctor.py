"""doctor: says what works only after it has tried, and never falls over what does not."""

import json
import subprocess
import sys
import types
from email.message import Message
from importlib import metadata

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from typer.testing import CliRunner

from dpa.engine import doctor
from dpa.engine.cli.app import app


class FakeRuntime(types.ModuleType):
    """An ONNX Runtime that lists CUDA but, like the real one without a GPU, runs on the CPU instead."""

    __version__ = "9"

    class SessionOptions:
        log_severity_level = 2

        def add_session_config_entry(self, key: str, value: str) -> None: ...

    class InferenceSession:
        def __init__(self, model: bytes, options: object, providers: list[str]) -> None:
            if providers == ["Exploding"]:
                raise MemoryError
            self.graph = ReferenceEvaluator(onnx.load_from_string(model))
            self.provider = providers[0]

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

        def run(self, names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.asarray(self.graph.run(names, feeds)[0])]

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider", "Exploding"]


def test_a_provider_that_is_listed_but_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime("onnxruntime"))
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    found = {finding.name.split()[-1]: finding for finding in doctor.try_onnxruntime()}
    assert {name: finding.state for name, finding in found.items()} == {
        "CUDAExecutionProvider": "fails",
        "CPUExecutionProvider": "works",
        "Exploding": "fails",
    }
    assert found["CUDAExecutionProvider"].detail == "runs on CPUExecutionProvider instead"
    assert found["Exploding"].detail == "MemoryError"


def test_cudas_libraries_are_loaded_before_onnx_runtime_is_tried() -> None:
    """Its CUDA provider finds them only where PyTorch has loaded them, or where it is told to itself."""
    script = (
        "import sys, types\n"
        "fake, told = types.ModuleType('onnxruntime'), []\n"
        "def providers():\n"
        "    print('torch' in sys.modules, told)\n"
        "    return []\n"
        "fake.preload_dlls = lambda: told.append('preloaded')\n"
        "fake.get_available_providers = providers\n"
        "sys.modules['onnxruntime'] = fake\n"
        "from dpa.engine import doctor\n"
        "doctor.find_spec = lambda name: object() if name == 'onnxruntime' else None\n"
        "doctor.examine()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True ['preloaded']\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_what_only_a_gpu_can_show_is_named_without_one() -> None:
    found = {finding.name: finding for finding in doctor.examine().backends}
    for name in ("CUDA kernel, packaged image", "CUDA kernel, compiled at run time", "CUDA graph"):
        assert (found[name].state, found[name].detail) == ("absent", "needs a GPU that PyTorch sees")


def test_a_wrong_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(FakeRuntime.InferenceSession):
        def run(self, names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [feeds["x"]]

    monkeypatch.setattr(FakeRuntime, "InferenceSession", Wrong)
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime("onnxruntime"))
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    cpu = doctor.try_onnxruntime()[1]
    assert cpu.state == "fails" and cpu.detail.startswith("1.5 and -2 doubled gave")


def test_nothing_installed_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found = [doctor.try_kernel(), *doctor.try_onnxruntime(), *doctor.try_openvino(), *doctor.try_tensorrt()]
    assert [finding.state for finding in found] == ["absent"] * 4


def test_the_one_node_network_doubles() -> None:
    model = onnx.load_from_string(doctor.one_node())
    onnx.checker.check_model(model, full_check=True)
    assert len(model.graph.node) == 1
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, {"x": doctor.X})[0], 2 * doctor.X)


def test_missing_packages_by_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = [
        "numpy>=2.0",
        'pytest>=8; extra == "test"',
        'no-such-package[a,b]>=1; extra == "gpu"',
        "another_one<3; extra == 'gpu'",
        'numpy>999; extra == "gpu"',
        'only-elsewhere; platform_system == "Plan9" and extra == "gpu"',
        'not-there; python_version > "3" and extra == "trt"',
    ]
    own = Message()
    for text in requirements:
        own["Requires-Dist"] = text
    for extra in ("test", "gpu", "trt"):
        own["Provides-Extra"] = extra
    monkeypatch.setattr(metadata, "metadata", lambda name: own)
    assert doctor.missing_packages() == {
        "gpu": ["no-such-package", "another_one", "numpy"],
        "trt": ["not-there"],
    }


def test_rivals_are_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in ("try_onnxruntime", "try_openvino"):
        monkeypatch.setattr(doctor, backend, lambda: [])
    monkeypatch.setattr(doctor, "versions", lambda: {"onnxruntime": "1", "onnxruntime-gpu": "1"})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1 and "conflict: onnxruntime and onnxruntime-gpu" in result.stdout


def test_the_command_on_this_machine() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and found["conflicts"] == []
    assert found["versions"]["numpy"] == np.__version__ and "cpu" in found["devices"]
    assert {finding["state"] for finding in found["backends"]} <= {"works", "fails", "absent"}
    assert "Back-ends" in CliRunner().invoke(app, ["doctor"]).stdout
