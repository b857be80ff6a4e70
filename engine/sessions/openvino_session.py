"""OpenVINO under the Session protocol, on the CPU. The precision it computes in is a property of the
session, not of the file, and it is read back after compiling.

bf16 where it holds: OpenVINO takes one precision for a whole model, so a model is cut into at most three.
What is sensitive stays fp32, as in every other engine: the localiser with the sampling of the crop, and what
follows the last convolution (the codes, φ).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
from dpa.engine.sessions.protocol import A, TensorSpec, bind

FOLLOWERS = frozenset({"Add", "Relu", "Sigmoid"})
"""What is fused with the convolution before it."""

SAMPLERS = frozenset({"GridSample", "Gather"})
"""Operations whose second input says where to look: `export.sampling` picks rows, others sample by a grid."""


@dataclass(frozen=True)
class Segment:
    """An openvino.Model, the precision it runs in ('f32' or 'bf16'), and the names of what it takes and
    gives, in its order."""

    model: Any
    precision: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def whole(model: Any, precision: str) -> Segment:
    """The model as a single segment."""
    return Segment(
        model,
        precision,
        tuple(port.get_any_name() for port in model.inputs),
        tuple(port.get_any_name() for port in model.outputs),
    )


def split(model: Any) -> list[Segment]:
    """Segments that give the model's outputs when run one after the other, each fed from the model's
    inputs and from the outputs before it. Consumes `model`.

    What bypasses a cut (mostly the batch size, read from the model's input) is computed again in the
    segment that needs it, so that the result is right wherever the cuts lie.
    """
    import openvino
    from openvino import opset13

    waiting = list(model.get_results())
    names = {_id(node): port.get_any_name() for node, port in zip(waiting, model.outputs, strict=True)}
    pool = {_id(node): node for node in model.get_parameters()}
    taken = {_id(node): port.get_any_name() for node, port in zip(pool.values(), model.inputs, strict=True)}

    def segment(results: list[Any], precision: str) -> Segment:
        used = sorted(set().union(*(_roots(result) for result in results)))
        part = openvino.Model(results, [pool[name] for name in used])
        gives = tuple(names[_id(result)] for result in results)
        return Segment(part, precision, tuple(taken[name] for name in used), gives)

    made: list[Segment] = []
    places = _places(model)
    for number, (place, precision) in enumerate(places):
        joint = opset13.parameter(place.get_partial_shape(), place.get_element_type())
        for target in list(place.get_target_inputs()):
            target.replace_source_output(joint.output(0))
        # nodes are never compared: OpenVINO's == builds a new node
        ready = [result for result in waiting if _roots(result) <= pool.keys()]
        waiting = [result for result in waiting if not _roots(result) <= pool.keys()]
        handed_on = opset13.result(place)
        names[_id(handed_on)] = taken[_id(joint)] = f"cut{number}"
        made.append(segment([handed_on, *ready], precision))
        pool[_id(joint)] = joint
    last = "f32" if places and places[-1][1] == "bf16" else "bf16"
    return [*made, segment(waiting, last)]


def _places(model: Any) -> list[tuple[Any, str]]:
    """Where to cut, and the precision of what lies before each cut."""
    ordered = model.get_ordered_ops()
    crop = _sampled_by_a_network(ordered)
    places = [(crop, "f32")] if crop is not None else []
    convolutions = [number for number, node in enumerate(ordered) if node.get_type_name() == "Convolution"]
    if convolutions and any(node.get_type_name() == "MatMul" for node in ordered[convolutions[-1] :]):
        places.append((_after(ordered[convolutions[-1]]), "bf16"))
    return places


def _sampled_by_a_network(ordered: list[Any]) -> Any:
    """What the first convolution reads that comes after a sampling whose places are computed by other
    convolutions: the crop, as the encoder gets it. None where nothing is sampled so."""
    after_convolution: set[str] = set()
    after_sampling: set[str] = set()
    for node in ordered:
        kind, sources = node.get_type_name(), [_id(source) for source in _sources(node)]
        if kind == "Convolution" and sources[0] in after_sampling:
            return node.input(0).get_source_output()
        if kind == "Convolution" or not after_convolution.isdisjoint(sources):
            after_convolution.add(_id(node))
        samples_there = kind in SAMPLERS and sources[1] in after_convolution
        if samples_there or not after_sampling.isdisjoint(sources):
            after_sampling.add(_id(node))
    return None


def _after(convolution: Any) -> Any:
    """The output of a convolution with its bias and activation."""
    node = convolution
    while True:
        users = [target.get_node() for target in node.output(0).get_target_inputs()]
        users = [user for user in users if user.get_type_name() != "ShapeOf"]
        if len(users) != 1 or users[0].get_type_name() not in FOLLOWERS:
            return node.output(0)
        node = users[0]


def _roots(result: Any) -> set[str]:
    """The parameters that a result depends on."""
    seen: set[str] = set()
    found: set[str] = set()
    waiting = [result]
    while waiting:
        node = waiting.pop()
        if _id(node) in seen:
            continue
        seen.add(_id(node))
        if node.get_type_name() == "Parameter":
            found.add(_id(node))
        waiting.extend(_sources(node))
    return found


def _sources(node: Any) -> Iterable[Any]:
    return (port.get_source_output().get_node() for port in node.inputs())


def _id(node: Any) -> str:
    """OpenVINO makes a new Python object at every look; the friendly name is unique in a model."""
    name: str = node.get_friendly_name()
    return name


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
