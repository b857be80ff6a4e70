"""The pose graph S → E → φ on ONNX Runtime, exported once and kept in a cache: what the attack's
initial predictions run on when a command hands it over."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dpa.engine.cache import cache_folder
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.errors import MissingPackage
from dpa.engine.sessions.manifest import EngineEntry
from dpa.engine.sessions.manifest_errors import EngineFolderError
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import Session
from dpa.export.engine_writer import replacing_folder, write_manifest
from dpa.export.fingerprint import package_versions, weights_fingerprint
from dpa.export.graphs import build_graph
from dpa.export.onnx_export import ExportFailed, export_onnx
from dpa.export.parity import ParityError, measure_parity, within_limit
from dpa.models.frameworks.base import DisentangledNetwork

LIMIT_MM = 0.01
FIRST_FRAMES = 8
"""Of the first frames that a session is given, this many also go through torch."""
FILE = "pose.fp32.onnx"

log = logging.getLogger(__name__)


def cached_pose_session(
    network: DisentangledNetwork, cache: Path | None = None
) -> Callable[[Tensor], Tensor]:
    """Frames [B, 3, H, W] in [0, 1] → pose [B, 17, 3] mm, any B ≥ 1 and any H, W.

    cache: where exported graphs are kept ($DPA_CACHE, else the user's cache folder); one is made anew
    when weights or package versions change. Its poses are compared with torch when it is exported and
    again on the first frames it is given; over 0.01 mm in the mean, without onnxruntime, or on a
    network that is not on the CPU, torch answers in its place and one log line says so.
    """
    device = next(network.parameters()).device
    if device.type != "cpu":
        log.info("initial poses: torch on %s, where the network is", device)
        return _on_torch(network)
    started = time.perf_counter()
    folder = (cache or cache_folder()) / "pose-engines" / _key(network)
    try:
        session = _open(network, folder)
    except (MissingPackage, ExportFailed, ParityError) as error:
        log.warning("initial poses: torch, because %s", str(error).splitlines()[0])
        return _on_torch(network)
    log.info("initial poses: ONNX Runtime, ready after %.1f s", time.perf_counter() - started)
    return _CheckedPose(network, session)


class _CheckedPose:
    """A pose session that is compared with torch on the first frames that it sees."""

    def __init__(self, network: DisentangledNetwork, session: Session) -> None:
        self._network, self._session = network, session
        self._run: Callable[[Tensor], Tensor] | None = None

    def __call__(self, frames: Tensor) -> Tensor:
        if self._run is None:
            self._run = self._choose(frames[:FIRST_FRAMES])
        return self._run(frames)

    def _choose(self, frames: Tensor) -> Callable[[Tensor], Tensor]:
        graph = build_graph(self._network, "pose")
        parity = measure_parity(self._network, graph, self._session, frames, LIMIT_MM)
        if within_limit(parity):
            return lambda batch: self._session.run(batch)["pose"]
        log.warning("initial poses: torch, because %s", str(ParityError(FILE, parity)).splitlines()[0])
        return _on_torch(self._network)


def _open(network: DisentangledNetwork, folder: Path) -> Session:
    """The cached session; exported first when it is not there or was damaged."""
    if folder.is_dir():
        try:
            return EngineFolder(folder).session("pose", backend="onnxruntime")
        except EngineFolderError as error:
            log.warning("exporting again: %s", str(error).splitlines()[0])
    return _export(network, folder)


def _export(network: DisentangledNetwork, folder: Path) -> Session:
    graph = build_graph(network, "pose")
    with replacing_folder(folder) as work:
        session = OnnxRuntimeSession(export_onnx(graph, work / FILE).read_bytes())
        parity = measure_parity(network, graph, session, _textures(), LIMIT_MM)
        if not within_limit(parity):
            raise ParityError(FILE, parity)
        entry = EngineEntry(
            graph="pose", backend="onnxruntime", precision="fp32", file=FILE, device="cpu", parity=parity
        )
        write_manifest(work, network, str(network.source or network.framework), [entry])
    return session


def _textures() -> Tensor:
    """[5, 3, 96, 112] in [0, 1]: seeded random fields, smooth as pictures are."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(5, 3, 12, 14, generator=generator)
    return torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)


def _on_torch(network: DisentangledNetwork) -> Callable[[Tensor], Tensor]:
    @torch.no_grad()
    def predict(frames: Tensor) -> Tensor:
        return network.predict(frames)

    return predict


def _key(network: DisentangledNetwork) -> str:
    made_by = json.dumps([weights_fingerprint(network), package_versions()], sort_keys=True)
    return hashlib.sha256(made_by.encode()).hexdigest()[:32]
