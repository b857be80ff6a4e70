"""bf16 where it holds. OpenVINO takes one precision for a whole model, so a model is cut into at most
three: what is sensitive stays fp32, as in every other engine, namely the localiser with the sampling of
the crop, and what follows the last convolution (the codes, φ)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FOLLOWERS = frozenset({"Add", "Relu", "Sigmoid"})
"""What is fused with the convolution before it."""

SAMPLERS = frozenset({"GridSample", "Gather"})
"""Operations whose second input says where to look: `line_sampling` picks rows, others sample by a grid."""


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
