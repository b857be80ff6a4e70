"""ONNX Runtime under the Session protocol, on the CPU and on CUDA. What it runs on is read back from
the loaded session: the list of providers that a wheel was built with says nothing about the machine."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.sessions.errors import (
    MissingPackage,
    ProviderUnavailable,
    failures_named,
    refusals_named,
)
from dpa.engine.sessions.protocol import TORCH_DTYPES, A, TensorSpec, bind

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
SEVERITY_ERROR = 3
KEPT_SIZES = 8
"""Batch sizes whose memory stays bound on a GPU."""

# ONNX Runtime's word for a dtype: (ours, the number in onnx.TensorProto)
ELEMENT_TYPES = {
    "tensor(float)": ("float32", 1),
    "tensor(uint8)": ("uint8", 2),
    "tensor(int64)": ("int64", 7),
    "tensor(float16)": ("float16", 10),
    "tensor(bfloat16)": ("bfloat16", 16),
}
ONNX_NUMBERS = dict(ELEMENT_TYPES.values())


class OnnxRuntimeSession:
    """One ONNX graph.

    model: the file, or its bytes (what a checked engine folder hands over, so that the bytes that
    were checked are the bytes that run); device: 'cpu', 'cuda' or 'cuda:N'; threads: intra-op
    threads, as many as torch uses when None.
    Raises MissingPackage without onnxruntime, ProviderUnavailable when the session does not really
    run where it was asked to, RefusedModel for a network that it does not take; `run` raises RunFailed.
    """

    backend = "onnxruntime"

    def __init__(self, model: Path | bytes, device: str = "cpu", threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingPackage("onnxruntime", "cpu") from error
        kind, _, index = device.partition(":")
        if kind not in PROVIDERS:
            raise ProviderUnavailable(
                found=f"device {device!r}", expected="cpu, cuda or cuda:N", remedy="name one of these"
            )
        # asking for a provider that the wheel lacks only warns, and then runs on the CPU
        if PROVIDERS[kind] not in onnxruntime.get_available_providers():
            raise _not_on(PROVIDERS[kind], "the installed onnxruntime has no such provider")
        if kind == "cuda" and not torch.cuda.is_available():
            raise _not_on(PROVIDERS[kind], "PyTorch sees no GPU")
        self._ordinal = int(index or 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = SEVERITY_ERROR
        # else its idle threads spin for milliseconds after a run, on cores that torch works on next
        options.add_session_config_entry("session.force_spinning_stop", "1")
        wanted: list[Any] = [PROVIDERS["cpu"]]
        self._lanes: OrderedDict[int, _Lane] = OrderedDict()
        self._stream: Any = None
        if kind == "cuda":
            load_cuda_libraries(onnxruntime)
            self._stream = torch.cuda.Stream(self._ordinal)  # type: ignore[no-untyped-call]
            options_there = cuda_options(self._ordinal, self._stream.cuda_stream)
            wanted.insert(0, (PROVIDERS["cuda"], options_there))
            self._quietly = onnxruntime.RunOptions()
            # else every run waits for the device at its end
            self._quietly.add_run_config_entry("disable_synchronize_execution_providers", "1")
        source = model if isinstance(model, bytes) else str(model)
        with refusals_named("ONNX Runtime"):
            # its own retry on other providers would print to stdout, which belongs to results
            self._session = onnxruntime.InferenceSession(source, options, providers=wanted, enable_fallback=0)
            self.inputs = tuple(_spec(value) for value in self._session.get_inputs())
            self.outputs = tuple(_spec(value) for value in self._session.get_outputs())
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        if self.providers[0] != PROVIDERS[kind]:
            raise _not_on(PROVIDERS[kind], f"ONNX Runtime runs on {self.providers[0]}")
        self._kind = kind

    @property
    def device(self) -> str:
        return "cpu" if self._kind == "cpu" else f"cuda:{self._ordinal}"

    def run(self, feeds: Mapping[str, A] | A, *more: A) -> dict[str, A]:
        """See Session.run. Nothing is copied when the inputs are contiguous and already on the device."""
        named: dict[str, Any] = bind(self.inputs, feeds, more)
        on_tensors = isinstance(next(iter(named.values())), Tensor)
        with failures_named("ONNX Runtime"):
            results: dict[str, Any] = self._run_tensors(named) if on_tensors else self._run_numpy(named)
            return results

    def _run_numpy(self, named: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        names = [spec.name for spec in self.outputs]
        return dict(zip(names, self._session.run(names, named), strict=True))

    def _run_tensors(self, named: dict[str, Tensor]) -> dict[str, Tensor]:
        came_from = next(iter(named.values())).device
        made = self._run_there(named) if self._kind == "cuda" else self._run_here(named)
        return {name: value.to(came_from) for name, value in made.items()}

    def _run_here(self, named: dict[str, Tensor]) -> dict[str, Tensor]:
        """On the CPU: on the tensors' own memory, into fresh tensors."""
        # held here until the run is over: the binding keeps addresses, not tensors
        held = {name: value.detach().to(self.device).contiguous() for name, value in named.items()}
        made = {spec.name: self._empty(spec, len(next(iter(named.values())))) for spec in self.outputs}
        self._session.run_with_iobinding(self._bound(held, made))
        return made

    def _run_there(self, named: dict[str, Tensor]) -> dict[str, Tensor]:
        """On the GPU: on memory that stays bound, a set for each batch size, on a stream of torch's that
        waits for the caller's and is waited for by it. The host waits for nobody."""
        batch = len(next(iter(named.values())))
        lane = self._lanes.pop(batch, None) or self._new_lane(batch)
        self._lanes[batch] = lane  # the latest last
        current = torch.cuda.current_stream(self._ordinal)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            for name, value in named.items():
                lane.inputs[name].copy_(value.detach(), non_blocking=True)
                if value.is_cuda:
                    value.record_stream(self._stream)
            self._session.run_with_iobinding(lane.binding, self._quietly)
            made = {name: value.clone() for name, value in lane.outputs.items()}
        current.wait_stream(self._stream)
        for value in made.values():
            value.record_stream(current)
        return made

    def _new_lane(self, batch: int) -> "_Lane":
        if len(self._lanes) >= KEPT_SIZES:
            self._stream.synchronize()  # nobody computes on what is given up
            self._lanes.popitem(last=False)
        inputs = {spec.name: self._empty(spec, batch) for spec in self.inputs}
        outputs = {spec.name: self._empty(spec, batch) for spec in self.outputs}
        return _Lane(inputs, outputs, self._bound(inputs, outputs))

    def _bound(self, inputs: dict[str, Tensor], outputs: dict[str, Tensor]) -> Any:
        binding = self._session.io_binding()
        for specs, tensors, attach in (
            (self.inputs, inputs, binding.bind_input),
            (self.outputs, outputs, binding.bind_output),
        ):
            for spec in specs:
                value = tensors[spec.name]
                number = ONNX_NUMBERS[spec.dtype]
                attach(spec.name, self._kind, self._ordinal, number, tuple(value.shape), value.data_ptr())
        return binding

    def _empty(self, spec: TensorSpec, batch: int) -> Tensor:
        shape = [batch if size is None else size for size in spec.shape]
        return torch.empty(shape, dtype=TORCH_DTYPES[spec.dtype], device=self.device)


@dataclass(frozen=True)
class _Lane:
    """What is bound at one batch size."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    binding: Any


def load_cuda_libraries(onnxruntime: Any) -> None:
    """CUDA's and cuDNN's, which PyTorch's packages bring and this provider looks for in vain by itself."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # from 1.21 on
    if preload is not None:
        preload()


def cuda_options(ordinal: int, stream: int) -> dict[str, str]:
    """How the CUDA provider computes: fp32 is fp32 (its default is TF32), algorithms by a rule of thumb (its
    default tries them all at every new batch size), on the stream with this handle."""
    return {
        "device_id": str(ordinal),
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "user_compute_stream": str(stream),
    }


def _spec(value: Any) -> TensorSpec:
    """The spec of one ONNX Runtime input or output; a symbolic dimension is free."""
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    if value.type not in ELEMENT_TYPES:
        raise TypeError(f"{value.name} is a {value.type}")
    return TensorSpec(value.name, shape, ELEMENT_TYPES[value.type][0])


def _not_on(provider: str, found: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        found=found,
        expected=provider,
        remedy="pip install 'dpa-engine[gpu]' on a machine with a driver, or ask for the device cpu",
    )
