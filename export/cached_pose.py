"""The pose graph S → E → φ on ONNX Runtime, exported once and kept in a cache: what the attack's
initial predictions run on when a command hands it over."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.cache import cache_folder
from dpa.engine.runs.environment import versions
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.errors import EngineFolderError, MissingPackage
from dpa.engine.sessions.manifest import EngineEntry
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import A, Session, TensorSpec, TorchSession, bind
from dpa.export.engine_writer import PACKAGES, replacing_folder, write_manifest
from dpa.export.graphs import Graph, build_graph
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
    """Frames [B, 3, H, W] in [0, 1] → pose [B, 17, 3] mm, any B ≥ 1 and any H, W: `cached_pose_engine`
    as a function."""
    session = cached_pose_engine(network, cache)
    return lambda frames: session.run(frames)["pose"]


def cached_pose_engine(network: DisentangledNetwork, cache: Path | None = None) -> Session:
    """A session of the pose graph: frames → pose, box.

    cache: where exported graphs are kept ($DPA_CACHE, else the user's cache folder); one is made anew
    when weights or package versions change. Its poses are compared with torch when it is exported and
    again on the first frames it is given; over 0.01 mm in the mean, without onnxruntime, or on a
    network that is not on the CPU, torch answers in its place and one log line says so. Puts the
    network into eval mode.
    """
    graph = build_graph(network, "pose")
    on_torch = TorchSession(graph.module, graph.inputs, graph.outputs)
    if not on_torch.device.startswith("cpu"):
        log.info("poses: torch on %s, where the network is", on_torch.device)
        return on_torch
    started = time.perf_counter()
    folder = (cache or cache_folder()) / "pose-engines" / _key(network)
    try:
        session = _open(network, graph, folder)
    except (MissingPackage, ExportFailed, ParityError) as error:
        _say_torch(error)
        return on_torch
    log.info("poses: ONNX Runtime, ready after %.1f s", time.perf_counter() - started)
    return _Checked(network, graph, session, on_torch)


class _Checked:
    """A session that is compared with torch on the first frames that it sees, and gives way if it is off."""

    def __init__(
        self, network: DisentangledNetwork, graph: Graph, session: Session, on_torch: Session
    ) -> None:
        self._network, self._graph = network, graph
        self._session, self._on_torch = session, on_torch
        self._checked = False

    @property
    def backend(self) -> str:
        return self._session.backend

    @property
    def device(self) -> str:
        return self._session.device

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._session.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._session.outputs

    def run(self, feeds: Mapping[str, A] | A, *more: A) -> dict[str, A]:
        if not self._checked:
            self._check(next(iter(bind(self.inputs, feeds, more).values())))
        return self._session.run(feeds, *more)

    def _check(self, frames: Tensor | NDArray[Any]) -> None:
        first = torch.as_tensor(frames[:FIRST_FRAMES])
        parity = measure_parity(self._network, self._graph, self._session, first, LIMIT_MM)
        if not within_limit(parity):
            _say_torch(ParityError(FILE, parity))
            self._session = self._on_torch
        self._checked = True


def _say_torch(error: Exception) -> None:
    log.warning("poses: torch, because %s", str(error).splitlines()[0])


def _open(network: DisentangledNetwork, graph: Graph, folder: Path) -> Session:
    """The cached session; exported first when it is not there or was damaged."""
    if folder.is_dir():
        try:
            return EngineFolder(folder).session("pose", backend="onnxruntime")
        except EngineFolderError as error:
            log.warning("exporting again: %s", str(error).splitlines()[0])
    return _export(network, graph, folder)


def _export(network: DisentangledNetwork, graph: Graph, folder: Path) -> Session:
    # whatever lies under a key of the cache was put there by this function, damaged or not
    with replacing_folder(folder, ours=lambda _: True) as work:
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


def _key(network: DisentangledNetwork) -> str:
    made_by = json.dumps([network.fingerprint(), versions(PACKAGES)], sort_keys=True)
    return hashlib.sha256(made_by.encode()).hexdigest()[:32]
