"""One engine's bytes to a running session, by back-end and precision."""

from dpa.engine.sessions.errors import UnknownBackend
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.openvino_session import OpenVinoSession
from dpa.engine.sessions.protocol import Session


def open_engine(
    data: bytes, backend: str, precision: str, device: str = "cpu", threads: int | None = None
) -> Session:
    """A session over an ONNX file's bytes, which the caller has checked.

    precision: what the back-end computes in where it can choose; else the file decides. Raises
    UnknownBackend, MissingPackage, ProviderUnavailable.
    """
    if backend == "onnxruntime":
        return OnnxRuntimeSession(data, device, threads)
    if backend == "openvino":
        return OpenVinoSession(data, precision, device, threads)
    raise UnknownBackend(
        found=f"back-end {backend!r}",
        expected="onnxruntime or openvino",
        remedy="open the engine with one of these",
    )
