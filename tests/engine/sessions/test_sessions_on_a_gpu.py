"""Sessions for GPUs as far as no GPU is needed: what ONNX Runtime is told, and a TensorRT lane, whose context
pretends, on the stand-in."""

import ctypes
from types import SimpleNamespace

import pytest
import torch

from dpa.bench.stand_in import account
from dpa.engine.sessions.errors import ProviderUnavailable
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import TensorSpec
from dpa.engine.sessions.tensorrt_session import Lane


class Told(Exception):
    """What a session would have been made with."""


@pytest.fixture
def onnxruntime(monkeypatch):
    """The package, as if it had a CUDA provider; a session of it raises what it was told."""
    package = pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")

    def refuse(source, options, providers, **_):
        raise Told(providers)

    monkeypatch.setattr(package, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(package, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(package, "InferenceSession", refuse)
    return package


def test_cuda_computes_in_fp32_on_a_stream_of_torchs_without_a_search(onnxruntime, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: SimpleNamespace(cuda_stream=4711))
    with pytest.raises(Exception, match="CUDAExecutionProvider") as caught:
        OnnxRuntimeSession(b"", "cuda:2")
    said = str(caught.value)
    for name, value in {
        "device_id": "2",
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "user_compute_stream": "4711",
    }.items():
        assert f"'{name}': '{value}'" in said


def test_cuda_without_a_gpu_is_refused_by_name(onnxruntime, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ProviderUnavailable, match="no GPU"):
        OnnxRuntimeSession(b"", "cuda")


class Context:
    """An execution context that triples what lies at `x` into `y`, in host memory."""

    def __init__(self, config):
        self.config, self.addresses, self.shape, self.memory, self.calls = config, {}, None, None, 0

    def set_optimization_profile_async(self, profile, stream):
        self.profile = profile

    def set_input_shape(self, name, shape):
        self.shape = shape

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def set_device_memory(self, address, size):
        self.memory = size

    def execute_async_v3(self, stream):
        count = self.shape[0] * self.shape[1]
        x, y = (ctypes.cast(self.addresses[name], ctypes.POINTER(ctypes.c_float)) for name in "xy")
        for place in range(count):
            y[place] = 3 * x[place]
        self.calls += 1
        return True


class Engine:
    """Of either package: tensorrt_rtx also asks for a configuration."""

    def create_runtime_config(self):
        return SimpleNamespace(
            set_execution_context_allocation_strategy=lambda strategy: setattr(self, "allocation", strategy)
        )

    def create_execution_context(self, config=None):
        self.context = Context(config)
        return self.context

    def get_device_memory_size_for_profile_v2(self, profile):
        return 1000 + profile


RTX = SimpleNamespace(
    IRuntimeConfig=object,
    ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="ours"),
    DynamicShapesKernelSpecializationStrategy=SimpleNamespace(EAGER="at once"),
)


@pytest.mark.parametrize("trt", [SimpleNamespace(), RTX], ids=["tensorrt", "tensorrt_rtx"])
def test_a_lane_pads_runs_and_cuts_off(trt, stand_in):
    engine = Engine()
    x, y = (TensorSpec(name, (None, 3)) for name in "xy")
    lane = Lane(trt, engine, 1, 4, (x,), (y,), stand_in)
    for rows in (4, 2):
        given = torch.rand(rows, 3)
        account.clear()
        made = lane.run({"x": given.to(stand_in)})["y"]
        assert account.waits.total() == 1, "the upload here; the lane itself makes nobody wait"
        torch.testing.assert_close(made.cpu(), 3 * given)
    assert engine.context.calls == 3
    assert engine.context.profile == 1
    if trt is RTX:
        assert engine.allocation == "ours"
        assert engine.context.config.dynamic_shapes_kernel_specialization_strategy == "at once"
        assert engine.context.memory == 1001
    else:
        assert engine.context.config is None
        assert engine.context.memory is None
