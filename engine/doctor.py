"""What this installation can really do: every back-end is tried with a one-node network, because lists of
providers name what was compiled in, not what works on the machine."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from packaging.requirements import Requirement

from dpa.engine.runs.environment import devices, versions

DISTRIBUTION = "dpa-engine"


@dataclass(frozen=True)
class BackendFinding:
    """One back-end. works: tried, and right; fails: installed, but not usable here; absent: not installed."""

    name: str
    state: Literal["works", "fails", "absent"]
    detail: str


@dataclass(frozen=True)
class Examination:
    """versions: package → version; devices: PyTorch's; missing: extra → packages that it would install;
    conflicts: what must be put right before anything can be relied on."""

    versions: dict[str, str]
    devices: dict[str, str]
    backends: list[BackendFinding]
    missing: dict[str, list[str]]
    conflicts: list[str]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


def examine() -> Examination:
    """Tries everything; takes a few seconds."""
    installed, found = versions(), devices()  # which loads PyTorch, and with it CUDA's libraries
    conflicts = []
    if "onnxruntime" in installed and "onnxruntime-gpu" in installed:
        conflicts.append(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: "
            "pip uninstall both, then install one of the extras cpu and gpu"
        )
    backends = [
        try_kernel(),
        *_cuda_kernels(),
        _cuda_graph(),
        *try_onnxruntime(),
        *try_openvino(),
        *try_tensorrt(),
    ]
    return Examination(installed, found, backends, missing_packages(), conflicts)


def missing_packages() -> dict[str, list[str]]:
    """For each extra that is not fully installed, the packages that are absent or of another version than it
    asks for. What does not apply to this Python or system is not missing."""
    try:
        own = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return {}
    wanted = [Requirement(text) for text in own.get_all("Requires-Dist") or []]
    missing: dict[str, list[str]] = {}
    for extra in own.get_all("Provides-Extra") or []:
        for one in wanted:
            marker = one.marker
            if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate({"extra": extra}):
                continue
            if not _is_met(one):
                missing.setdefault(extra, []).append(one.name)
    return missing


def _is_met(wanted: Requirement) -> bool:
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def one_node() -> bytes:
    """An ONNX model that doubles its input, float32 [2]."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubling", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    serialised: bytes = model.SerializeToString()
    return serialised


X = np.array([1.5, -2.0], dtype=np.float32)


def _try(name: str, attempt: Callable[[], str]) -> BackendFinding:
    """A back-end may fail in any way of its own: whatever it raises is its finding."""
    try:
        return BackendFinding(name, "works", attempt())
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return BackendFinding(name, "fails", lines[0].removeprefix("[ONNXRuntimeError] : 1 : FAIL : ")[:160])


def _expect_double(y: object) -> None:
    if not np.array_equal(np.asarray(y), 2 * X):
        raise ArithmeticError(f"1.5 and -2 doubled gave {y}")


def try_kernel() -> BackendFinding:
    name = "compiled CPU kernel"
    if find_spec("dpa.kernels._cpu") is None:
        return BackendFinding(
            name, "absent", "the PyTorch twin takes its place; pip install the package to compile it"
        )

    def attempt() -> str:
        import dpa.kernels._cpu  # noqa: F401

        return "loads"

    return _try(name, attempt)


NO_GPU = "needs a GPU that PyTorch sees"


def _cuda_kernels() -> list[BackendFinding]:
    """Every way of loading the CUDA kernels, each with a result that is compared with the twin's."""
    import torch

    from dpa.kernels import cuda, reference
    from dpa.kernels.inputs import Inputs

    def attempt(way: Callable[[torch.device], cuda.CudaKernels]) -> str:
        device = torch.device("cuda", 0)
        box = torch.tensor([[0.7, 0.6, 0.1, -0.1]], device=device)
        colours, plate = (torch.rand(1, 3, side, side, device=device) for side in (8, 12))
        index = torch.zeros(1, dtype=torch.int64, device=device)
        given = Inputs(colours, colours[:, :1].contiguous(), box, plate, index, box)
        out = torch.empty_like(colours)
        way(device).forward(given, out)
        if not torch.allclose(out, reference.composite_crop(*given, size=8), atol=1e-4):
            raise ArithmeticError("its picture is not the PyTorch twin's")
        return torch.cuda.get_device_name(device)

    names = {name: f"CUDA kernel, {name}" for name in cuda.WAYS}
    if not torch.cuda.is_available():
        return [BackendFinding(name, "absent", NO_GPU) for name in names.values()]
    return [_try(names[name], lambda way=way: attempt(way)) for name, way in cuda.WAYS.items()]  # type: ignore[misc]


def _cuda_graph() -> BackendFinding:
    import torch

    if not torch.cuda.is_available():
        return BackendFinding("CUDA graph", "absent", NO_GPU)

    def attempt() -> str:
        x = torch.tensor(X, device="cuda")
        (x + x).sum().item()  # what the first call loads must not be captured
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = x + x
        y.zero_()
        graph.replay()
        _expect_double(y.cpu().numpy())
        return f"captured and replayed, CUDA {torch.version.cuda}"

    return _try("CUDA graph", attempt)


def try_onnxruntime() -> list[BackendFinding]:
    if find_spec("onnxruntime") is None:
        return [
            BackendFinding(
                "ONNX Runtime", "absent", 'PyTorch takes its place; pip install ".[cpu]" or ".[gpu]"'
            )
        ]
    import onnxruntime

    from dpa.engine.sessions.onnxruntime_session import load_cuda_libraries

    load_cuda_libraries(onnxruntime)

    def attempt(provider: str) -> str:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        if provider != "CPUExecutionProvider":
            # Otherwise a node that the provider cannot run goes to the CPU without a word.
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        session = onnxruntime.InferenceSession(one_node(), options, providers=[provider])
        if session.get_providers()[0] != provider:
            raise RuntimeError(f"runs on {session.get_providers()[0]} instead")
        _expect_double(session.run(None, {"x": X})[0])
        return f"onnxruntime {onnxruntime.__version__}"

    return [
        _try(f"ONNX Runtime {name}", lambda name=name: attempt(name))  # type: ignore[misc]
        for name in onnxruntime.get_available_providers()
    ]


def try_openvino() -> list[BackendFinding]:
    if find_spec("openvino") is None:
        return [BackendFinding("OpenVINO", "absent", 'pip install ".[openvino]"')]
    import openvino

    core = openvino.Core()

    def attempt(device: str) -> str:
        compiled = core.compile_model(core.read_model(one_node(), b""), device)
        _expect_double(compiled([X])[0])
        return f"openvino {openvino.__version__}"

    return [_try(f"OpenVINO {name}", lambda name=name: attempt(name)) for name in core.available_devices]  # type: ignore[misc]


def try_tensorrt() -> list[BackendFinding]:
    module = next((name for name in ("tensorrt", "tensorrt_rtx") if find_spec(name) is not None), None)
    if module is None:
        return [
            BackendFinding(
                "TensorRT builder", "absent", 'pip install ".[trt]", or ".[trt-rtx]" without a GPU'
            )
        ]
    import torch

    trt = import_module(module)
    logger = trt.Logger(trt.Logger.ERROR)

    def build() -> Any:
        builder = trt.Builder(logger)
        network = builder.create_network(0)
        if not trt.OnnxParser(network, logger).parse(one_node()):
            raise RuntimeError("the parser refused a one-node network")
        plan = builder.build_serialized_network(network, builder.create_builder_config())
        if plan is None:
            raise RuntimeError("no plan could be built for a one-node network")
        return plan

    def attempt() -> str:
        build()
        return f"{module} {trt.__version__}; builds plans"

    def run() -> str:
        runtime = trt.Runtime(logger)
        engine = runtime.deserialize_cuda_engine(build())
        context = engine.create_execution_context()
        x = torch.tensor(X, device="cuda")
        y = torch.empty_like(x)
        for name, tensor in (("x", x), ("y", y)):
            context.set_tensor_address(name, tensor.data_ptr())
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        if not context.execute_async_v3(stream.cuda_stream):
            raise RuntimeError("the call could not be enqueued")
        stream.synchronize()
        _expect_double(y.cpu().numpy())
        return f"{module} {trt.__version__}; runs plans"

    name = "TensorRT plan"
    ran = _try(name, run) if torch.cuda.is_available() else BackendFinding(name, "absent", NO_GPU)
    return [_try("TensorRT builder", attempt), ran]
