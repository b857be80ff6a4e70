"""Sessions: PyTorch, ONNX Runtime on CUDA and TensorRT, against PyTorch on the CPU in mm, and their speed."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from dpa.bench.gpu.scene import NETWORK, data, network_of
from dpa.bench.gpu.section import Notebook, NotExecuted, Setting
from dpa.bench.gpu.timing import milliseconds
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.protocol import Session, TorchSession
from dpa.engine.sessions.tensorrt_plans import import_tensorrt
from dpa.export.build import build_engines
from dpa.export.graphs import build_graph
from dpa.export.variants import choose_variants

LIMITS_MM = {"fp32": 0.1, "fp16": 1.0, "int8": 5.0}
BATCHES = (1, 32)
NAMES = {"onnx": "onnxruntime", "tensorrt": "tensorrt"}
"""A back-end as export names it, and as a session is asked for."""


def _frames(setting: Setting, count: int) -> Tensor:
    store = data(setting)
    rows = torch.arange(count) % len(store)
    return store.frames_at(rows.numpy())


def _opened(setting: Setting, backend: str, precision: str) -> Session:
    """A session of the graph `pose` where the examined device can have one. Raises NotExecuted."""
    device = str(setting.device) if setting.device.type == "cuda" else "cpu"
    network = network_of(setting)
    if backend == "torch":
        graph = build_graph(network, "pose")
        return TorchSession(graph.module, graph.inputs, graph.outputs)
    if backend == "onnx":
        _require_onnxruntime(device)
    else:
        try:
            import_tensorrt()
        except Exception as error:
            raise NotExecuted(f"TensorRT (extra 'trt'): {str(error).splitlines()[0]}") from error
        if device == "cpu":
            raise NotExecuted("a GPU")
    folder: Path = setting.folder / f"engines-{backend}-{precision}"
    if not folder.is_dir():
        variants = choose_variants([backend], [precision])
        network = network.cpu()
        frames, calibration = _frames(setting, 8), _frames(setting, 64)
        build_engines(
            network, folder, variants, frames, calibration, source=NETWORK, graphs=("pose",), buckets=BATCHES
        )
    return EngineFolder(folder).session("pose", precision=precision, backend=NAMES[backend], device=device)


def _require_onnxruntime(device: str) -> None:
    try:
        import onnxruntime
    except ImportError as error:
        raise NotExecuted("onnxruntime") from error
    wanted = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise NotExecuted("onnxruntime-gpu (extra 'gpu'): the installed onnxruntime has no CUDA provider")


def _kinds(setting: Setting) -> Iterator[tuple[str, str]]:
    yield "torch", "fp32"
    for backend in ("onnx", "tensorrt"):
        for precision in setting.pick(("fp32", "fp16", "int8"), ("fp32",)):
            yield backend, precision


def compare(book: Notebook, setting: Setting) -> None:
    """Every session at both batch sizes, against fp32 on the CPU."""
    batches = setting.pick(BATCHES, (1, 2))
    frames = _frames(setting, max(batches))
    with torch.no_grad():
        expected = network_of(setting).cpu().predict(frames)
    for backend, precision in _kinds(setting):
        with book.entry(f"{backend}, {precision}") as found:
            session = _opened(setting, backend, precision)
            found["device"] = session.device
            for batch in batches:
                poses = session.run(frames[:batch].to(setting.device))["pose"]
                apart = (poses.cpu() - expected[:batch]).norm(dim=-1).mean(-1)
                found[f"mm, batch {batch}"] = float(apart.mean())
                limit = LIMITS_MM[precision]
                found.require(float(apart.mean()) < limit, f"poses within {limit} mm at batch {batch}")


def measure(book: Notebook, setting: Setting) -> None:
    """Frames a second of every session, its inputs on the device."""
    for backend, precision in _kinds(setting):
        for batch in setting.pick((1, 32, 256), (2,)):
            with book.entry(f"{backend}, {precision}, batch {batch}") as found:
                session = _opened(setting, backend, precision)
                frames = _frames(setting, batch).to(setting.device)
                found["ms"] = milliseconds(lambda: session.run(frames), setting.device, 0.3)  # noqa: B023
                found["frames_per_s"] = 1e3 * batch / found["ms"]
