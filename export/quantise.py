"""INT8 by static calibration on real frames, with ONNX Runtime's quantiser, in two schemes: U8S8 as CPUs
want it, S8S8 as TensorRT wants it. Weights are S8 per channel in both.

Not quantised: all but convolutions, which is where the time goes; what places of sampling depend on (the
localiser: an error of the box moves the whole crop, 10 mm of pose against 2 in the encoder on a small
NSD); the first convolution of the rest, which reads the picture itself (0.4 mm of those 2 at hardly
any time). All three are the project's choices.
"""

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Literal

import onnx
from torch import Tensor

from dpa.engine.sessions.errors import MissingPackage
from dpa.engine.sessions.openvino_session import SAMPLERS
from dpa.export.graphs import Graph
from dpa.export.parity import probes
from dpa.models.atomic import write_bytes
from dpa.models.frameworks.base import DisentangledNetwork

SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
"""What TensorRT asks for; it rejects other zero points and quantised biases."""

SEVERITY_WARNING, SEVERITY_ERROR = 2, 3


class _Feeds:
    """The calibration frames as ONNX Runtime's quantiser asks for them."""

    def __init__(self, network: DisentangledNetwork, graph: Graph, frames: Tensor) -> None:
        self._feeds: Iterator[dict[str, Any]] = (
            {name: value.cpu().numpy() for name, value in probe.feeds.items()}
            for probe in probes(network, graph.name, frames)
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


Scheme = Literal["U8S8", "S8S8"]
"""Types of activations and weights. S8S8 is symmetric, zero points are 0, and biases stay fp32."""


def quantise(
    network: DisentangledNetwork,
    graph: Graph,
    fp32: Path,
    path: Path,
    frames: Tensor,
    scheme: Scheme = "U8S8",
) -> Path:
    """Write `path`, the INT8 form of the fp32 ONNX file, calibrated on `frames` [N, 3, H, W].

    On a CPU without VNNI, U8S8 products may saturate; the parity measured afterwards says whether they
    do. Raises MissingPackage without onnxruntime.
    """
    try:
        import onnxruntime
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingPackage("onnxruntime", "cpu") from error
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(SEVERITY_ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ready, made = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                quant_pre_process(str(fp32), str(ready), skip_symbolic_shape=True)
                quantization.quantize_static(
                    str(ready),
                    str(made),
                    _Feeds(network, graph, frames),
                    quant_format=quantization.QuantFormat.QDQ,
                    op_types_to_quantize=["Conv"],
                    nodes_to_exclude=kept_in_fp32(onnx.load(ready)),
                    per_channel=True,
                    activation_type=(
                        quantization.QuantType.QUInt8 if scheme == "U8S8" else quantization.QuantType.QInt8
                    ),
                    weight_type=quantization.QuantType.QInt8,
                    calibrate_method=quantization.CalibrationMethod.MinMax,
                    extra_options=SYMMETRIC if scheme == "S8S8" else {},
                )
            write_bytes(path, made.read_bytes())
    finally:
        onnxruntime.set_default_logger_severity(SEVERITY_WARNING)
        logging.disable(previous)
    return path


def kept_in_fp32(model: Any) -> list[str]:
    """Names of the convolutions that stay fp32: every one that places of sampling depend on, and the first
    of the others. model: an onnx.ModelProto whose nodes are in topological order and have names."""
    makers = {output: node for node in model.graph.node for output in node.output}
    waiting = [node.input[1] for node in model.graph.node if node.op_type in SAMPLERS]
    upstream: set[str] = set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in upstream:
            upstream.add(node.name)
            waiting.extend(node.input)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    free = [name for name in convolutions if name not in upstream]
    return [name for name in convolutions if name in upstream] + free[:1]
