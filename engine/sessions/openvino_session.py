"""OpenVINO under the Session protocol, on the CPU. The precision it computes in is a property of the
session, not of the file, and it is read back after compiling."""

from collections.abc import Mapping
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
from dpa.engine.sessions.openvino_segments import Segment, split, whole
from dpa.engine.sessions.protocol import A, TensorSpec, bind

HINTS = {"fp32": "f32", "fp16": "f32", "bf16": "bf16", "int8": "f32"}
"""What layers that the file does not quantise compute in, by the engine's precision."""

ELEMENT_TYPES = {"f32": "float32", "f16": "float16", "i64": "int64", "u8": "uint8"}


class OpenVinoSession:
    """One ONNX graph.

    data: the ONNX file's bytes; precision: the engine's, see HINTS, where bf16 leaves out what
    openvino_segments names; threads: as many as torch uses when None. Raises MissingPackage without
    openvino, ProviderUnavailable for another device than the CPU and for a precision that this CPU does
    not have, RefusedModel for a network that it does not take; `run` raises RunFailed.
    """

    backend = "openvino"
    device = "cpu"

    def __init__(
        self, data: bytes, precision: str = "fp32", device: str = "cpu", threads: int | None = None
    ) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingPackage("openvino", "openvino") from error
        if device != "cpu":
            raise ProviderUnavailable(
                found=f"device {device!r}", expected="cpu", remedy="run OpenVINO engines on the CPU"
            )
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": threads or torch.get_num_threads(), "NUM_STREAMS": 1}
        with refusals_named("OpenVINO"):
            model = core.read_model(data)
            self.inputs = tuple(_spec(port) for port in model.inputs)
            self.outputs = tuple(_spec(port) for port in model.outputs)
            parts = split(model) if precision == "bf16" else [whole(model, HINTS[precision])]
            self._steps: list[tuple[Segment, Any]] = []
            for part in parts:
                compiled = core.compile_model(
                    part.model, "CPU", settings | {"INFERENCE_PRECISION_HINT": part.precision}
                )
                runs_in = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
                if runs_in != part.precision:
                    raise ProviderUnavailable(
                        found=f"OpenVINO computes in {runs_in} on this CPU",
                        expected=part.precision,
                        remedy="use an fp32 or int8 engine here",
                    )
                self._steps.append((part, compiled.create_infer_request()))

    def run(self, feeds: Mapping[str, A] | A, *more: A) -> dict[str, A]:
        """See Session.run. Inputs are shared with OpenVINO where they are contiguous; outputs are copies,
        as it writes into the same memory the next time."""
        named: dict[str, Any] = bind(self.inputs, feeds, more)
        first = next(iter(named.values()))
        if not isinstance(first, Tensor):
            results: dict[str, Any] = self._infer(named)
            return results
        arrays = {name: value.detach().cpu().numpy() for name, value in named.items()}
        made = self._infer(arrays)
        results = {name: torch.from_numpy(value).to(first.device) for name, value in made.items()}
        return results

    def _infer(self, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        values = dict(arrays)
        with failures_named("OpenVINO"):
            for part, request in self._steps:
                feeds = dict(enumerate(values[name] for name in part.inputs))
                made = request.infer(feeds, share_inputs=True, share_outputs=False)
                values.update({name: made[index] for index, name in enumerate(part.outputs)})
        return {spec.name: values[spec.name] for spec in self.outputs}


def _spec(port: Any) -> TensorSpec:
    """The spec of one OpenVINO port; a dynamic dimension is free."""
    shape = tuple(size.get_length() if size.is_static else None for size in port.get_partial_shape())
    return TensorSpec(port.get_any_name(), shape, ELEMENT_TYPES[port.get_element_type().to_string()])
