"""TensorRT plans under the Session protocol: one execution context, one set of buffers and one CUDA
graph for each bucket. A batch of any size is cut into pieces, the last one padded.

Never executed: it was written on machines without a GPU. What the tests reach is building plans,
choosing buckets and every refusal before the driver is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dpa.engine.sessions.errors import RefusedModel, failures_named
from dpa.engine.sessions.protocol import TORCH_DTYPES, A, TensorSpec, bind
from dpa.engine.sessions.tensorrt_plans import import_tensorrt, new_logger, require_gpu

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
        trt = import_tensorrt()
        self._buckets = buckets
        self._lanes: dict[int, _Lane] = {}
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
            self._lanes[bucket] = _Lane(self._engine, index, bucket, self.inputs, self.outputs, self._device)
        return self._lanes[bucket].run(tensors)

    def _spec(self, trt: Any, name: str, shape: Any) -> TensorSpec:
        """A spec whose batch is free, whatever the profile's."""
        dtype = np.dtype(trt.nptype(self._engine.get_tensor_dtype(name)))
        return TensorSpec(name, (None, *(int(size) for size in tuple(shape)[1:])), str(dtype))


class _Lane:
    """One bucket: its context, its buffers, and the CUDA graph of one call."""

    def __init__(
        self,
        engine: Any,
        profile: int,
        bucket: int,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        device: torch.device,
    ) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._context = engine.create_execution_context()
        self._context.set_optimization_profile_async(profile, self._stream.cuda_stream)
        self._inputs = {spec.name: _buffer(spec, bucket, device) for spec in inputs}
        self._outputs = {spec.name: _buffer(spec, bucket, device) for spec in outputs}
        for name, value in self._inputs.items():
            self._context.set_input_shape(name, tuple(value.shape))
        for name, value in (self._inputs | self._outputs).items():
            self._context.set_tensor_address(name, value.data_ptr())
        # one plain call first: TensorRT allocates and initialises then, which must not be captured
        self._stream.wait_stream(torch.cuda.current_stream(device))
        self._execute()
        self._stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._execute()

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self._stream.cuda_stream):
            raise RuntimeError("the call could not be enqueued")

    def run(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inputs [n, …], n ≤ bucket → outputs [n, …]. Rows beyond n compute on whatever is there."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            for name, value in tensors.items():
                count = value.shape[0]
                self._inputs[name][:count].copy_(value, non_blocking=True)
                if value.is_cuda:
                    value.record_stream(self._stream)
            self._graph.replay()
            made = {name: value[:count].clone() for name, value in self._outputs.items()}
        current.wait_stream(self._stream)
        for value in made.values():
            value.record_stream(current)
        return made


def _buffer(spec: TensorSpec, bucket: int, device: torch.device) -> Tensor:
    shape = [bucket, *(size for size in spec.shape[1:] if size is not None)]
    return torch.zeros(shape, dtype=TORCH_DTYPES[spec.dtype], device=device)
