"""INT8 by static calibration on real frames, with ONNX Runtime's quantiser: U8 activations, S8 weights
per channel, as CPUs want it."""

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from torch import Tensor

from dpa.engine.sessions.errors import MissingPackage
from dpa.export.graphs import Graph
from dpa.export.probes import probes
from dpa.models.atomic import write_bytes
from dpa.models.frameworks.base import DisentangledNetwork

QUANTISED = ("Conv",)
"""Convolutions are where the time goes; codes, φ and sampling stay fp32 (the project's choice)."""

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


def quantise(network: DisentangledNetwork, graph: Graph, fp32: Path, path: Path, frames: Tensor) -> Path:
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
                    op_types_to_quantize=list(QUANTISED),
                    per_channel=True,
                    activation_type=quantization.QuantType.QUInt8,
                    weight_type=quantization.QuantType.QInt8,
                    calibrate_method=quantization.CalibrationMethod.MinMax,
                )
            write_bytes(path, made.read_bytes())
    finally:
        onnxruntime.set_default_logger_severity(SEVERITY_WARNING)
        logging.disable(previous)
    return path
