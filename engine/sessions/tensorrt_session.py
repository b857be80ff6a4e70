"""TensorRT plans under the Session protocol: one execution context, one set of buffers and one CUDA
graph for each bucket. A batch of any size is cut into pieces, the last one padded.

Never executed: it was written on machines without a GPU. What the tests reach is building plans, choosing
buckets, every refusal before the driver is needed, and a lane around a context that only pretends.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dpa.engine.sessions.errors import RefusedModel, failures_named
from dpa.engine.sessions.protocol import TORCH_DTYPES, A, TensorSpec, bind
from dpa.engine.sessions.tensorrt_plans import import_tensorrt, new_logger, require_gpu
from dpa.models.devices import records_graphs

Padded = Callable[[int, dict[str, Tensor]], dict[str, Tensor]]
"""(bucket, inputs [n, …] with n ≤ bucket) → outputs [n, …]."""


def pieces(count: int, buckets: Sequence[int]) -> list[tuple[int, int, int]]:
    """(start, stop, bucket) of each piece of a batch: pieces of the largest bucket, then the smallest one
    that takes the rest."""
    largest = max(buckets)
    made = []
    for start in range(0, count, largest):
        stop = min(start + largest, count)
        made.append((start, stop, min(size for size in buckets if size >= stop - start)))
    return made


def run_in_buckets(feeds: Mapping[str, Tensor], buckets: Sequence[int], run: Padded) -> dict[str, Tensor]:
    """Run a batch piece by piece. feeds: [B, …] each, the same B ≥ 1."""
    count = next(iter(feeds.values())).shape[0]
    made = [
        run(bucket, {name: value[start:stop] for name, value in feeds.items()})
        for start, stop, bucket in pieces(count, buckets)
    ]
    return {name: torch.cat([part[name] for part in made]) if made[1:] else made[0][name] for name in made[0]}


class TensorRtSession:
    """One plan.

    plan: its bytes, which the caller has checked against the local build record (a plan is native code);
    buckets: the batch sizes of its profiles, in their order; device: 'cuda' or 'cuda:N'. Raises
    MissingPackage, ProviderUnavailable without a GPU, RefusedModel when TensorRT does not take the plan.
    """

    backend = "tensorrt"

    def __init__(self, plan: bytes, buckets: tuple[int, ...], device: str = "cuda") -> None:
        self._device = require_gpu(device)
        self._trt = trt = import_tensorrt()
        self._buckets = buckets
        self._lanes: dict[int, Lane] = {}
        with torch.cuda.device(self._device):
            logger, errors = new_logger(trt)
            self._runtime = trt.Runtime(logger)  # must outlive the engine
            self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise RefusedModel(
                found=f"{trt.__name__} refuses the plan: {'; '.join(errors)[:300]}",
                expected="a plan built by this TensorRT for this GPU",
                remedy="rebuild it from its ONNX file with --rebuild-plans",
            )
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        mode = {name: self._engine.get_tensor_mode(name) for name in names}
        self.inputs = tuple(
            self._spec(trt, name, self._engine.get_tensor_profile_shape(name, 0)[1])
            for name in names
            if mode[name] == trt.TensorIOMode.INPUT
        )
        self.outputs = tuple(
            self._spec(trt, name, self._engine.get_tensor_shape(name))
            for name in names
            if mode[name] == trt.TensorIOMode.OUTPUT
        )

    @property
    def device(self) -> str:
        return str(self._device)

    def run(self, feeds: Mapping[str, A] | A, *more: A) -> dict[str, A]:
        """See Session.run. Inputs are copied once, into the bucket's buffers; outputs are fresh tensors,
        on the device that the inputs came from."""
        named: dict[str, Any] = bind(self.inputs, feeds, more)
        first = next(iter(named.values()))
        tensors = {name: torch.as_tensor(value).detach() for name, value in named.items()}
        with failures_named("TensorRT"), torch.cuda.device(self._device):
            made = run_in_buckets(tensors, self._buckets, self._run_padded)
        results: dict[str, Any] = {
            name: value.to(first.device) if isinstance(first, Tensor) else value.cpu().numpy()
            for name, value in made.items()
        }
        return results

    def _run_padded(self, bucket: int, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if bucket not in self._lanes:
            index = self._buckets.index(bucket)
            self._lanes[bucket] = Lane(
                self._trt, self._engine, index, bucket, self.inputs, self.outputs, self._device
            )
        return self._lanes[bucket].run(tensors)

    def _spec(self, trt: Any, name: str, shape: Any) -> TensorSpec:
        """A spec whose batch is free, whatever the profile's."""
        dtype = np.dtype(trt.nptype(self._engine.get_tensor_dtype(name)))
        return TensorSpec(name, (None, *(int(size) for size in tuple(shape)[1:])), str(dtype))


class Lane:
    """One bucket: its context, its buffers and, where the stream can be captured, the CUDA graph of one call.

    A plan of tensorrt_rtx finishes compiling when it runs, and a context that takes memory of its own, or
    compiles a kernel late, cannot be captured: it is told to compile at once and given its memory here, and
    is asked before anything is captured. Without a graph a call is enqueued plainly.
    """

    def __init__(
        self,
        trt: Any,
        engine: Any,
        profile: int,
        bucket: int,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        device: torch.device,
    ) -> None:
        self._device = device
        self._module = torch.get_device_module(device)
        self._stream = self._module.Stream(device)
        self._inputs = {spec.name: _buffer(spec, bucket, device) for spec in inputs}
        self._outputs = {spec.name: _buffer(spec, bucket, device) for spec in outputs}
        self._context = engine.create_execution_context(*_strategies(trt, engine))
        self._context.set_optimization_profile_async(profile, self._stream.cuda_stream)
        for name, value in self._inputs.items():
            self._context.set_input_shape(name, tuple(value.shape))
        if hasattr(trt, "IRuntimeConfig"):
            size = engine.get_device_memory_size_for_profile_v2(profile)
            self._memory = torch.empty(max(1, size), dtype=torch.uint8, device=device)
            self._context.set_device_memory(self._memory.data_ptr(), self._memory.numel())
        for name, value in (self._inputs | self._outputs).items():
            self._context.set_tensor_address(name, value.data_ptr())
        # one plain call first: TensorRT initialises and, with tensorrt_rtx, compiles then
        self._stream.wait_stream(self._module.current_stream(device))
        self._execute()
        self._stream.synchronize()
        self._graph: Any = None
        if records_graphs(device) and self._capturable():
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._execute()

    def _capturable(self) -> bool:
        """tensorrt itself promises it; tensorrt_rtx answers."""
        ask = getattr(self._context, "is_stream_capturable", None)
        return ask is None or bool(ask(self._stream.cuda_stream))

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self._stream.cuda_stream):
            raise RuntimeError("the call could not be enqueued")

    def run(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inputs [n, …], n ≤ bucket → outputs [n, …]. Rows beyond n compute on whatever is there."""
        current = self._module.current_stream(self._device)
        self._stream.wait_stream(current)
        with self._module.stream(self._stream):
            for name, value in tensors.items():
                count = value.shape[0]
                self._inputs[name][:count].copy_(value, non_blocking=True)
                if value.is_cuda:
                    value.record_stream(self._stream)
            if self._graph is None:
                self._execute()
            else:
                self._graph.replay()
            made = {name: value[:count].clone() for name, value in self._outputs.items()}
        current.wait_stream(self._stream)
        for value in made.values():
            if value.is_cuda:
                value.record_stream(current)
        return made


def _strategies(trt: Any, engine: Any) -> tuple[Any, ...]:
    """What a context of tensorrt_rtx is made with: our memory, and every kernel compiled at once. TensorRT
    itself needs neither."""
    if not hasattr(trt, "IRuntimeConfig"):
        return ()
    config = engine.create_runtime_config()
    config.set_execution_context_allocation_strategy(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
    config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    return (config,)


def _buffer(spec: TensorSpec, bucket: int, device: torch.device) -> Tensor:
    shape = [bucket, *(size for size in spec.shape[1:] if size is not None)]
    return torch.zeros(shape, dtype=TORCH_DTYPES[spec.dtype], device=device)
