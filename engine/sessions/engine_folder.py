"""An engine folder as `export` writes it, opened for running: manifest first, then the files' bytes, then,
for ONNX, their structure; a TensorRT plan only where what it is valid for and who built it are settled. Only
then a back-end: the named one, or the first of a stated order that really works here."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from dpa.engine.sessions.errors import (
    ForeignPlan,
    MissingPackage,
    NoSuchEngine,
    ProviderUnavailable,
    StalePlan,
    UnknownBackend,
)
from dpa.engine.sessions.manifest import EngineEntry, EngineManifest, PlanPlace, checked_bytes, read_manifest
from dpa.engine.sessions.onnx_check import check_onnx
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.openvino_session import OpenVinoSession
from dpa.engine.sessions.protocol import Session
from dpa.engine.sessions.tensorrt_plans import PlanCache, import_tensorrt, require_gpu, this_place
from dpa.engine.sessions.tensorrt_session import TensorRtSession
from dpa.models.errors import DpaError


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


ORDER = ("tensorrt", "onnxruntime", "openvino", "torch")
"""Fastest on its own device first; torch is always there."""

log = logging.getLogger(__name__)


class NoBackend(DpaError):
    """None of the back-ends that could run a graph works on this machine."""


def first_working(candidates: Mapping[str, Callable[[], Session]]) -> Session:
    """Open the candidates (back-end name → opener) in ORDER and return the first that opens.

    Only a missing package or device is passed over; a refused file is an error, not a reason to run
    something else. Raises NoBackend when nothing is left.
    """
    refusals = []
    for name in ORDER:
        if name not in candidates:
            continue
        try:
            session = candidates[name]()
        except (MissingPackage, ProviderUnavailable) as error:
            refusals.append(f"{name}: {error.found} ({error.remedy})")
            continue
        if refusals:
            log.warning("running on %s instead of %s", session.backend, "; ".join(refusals))
        return session
    raise NoBackend("no back-end works here: " + ("; ".join(refusals) or "none was offered"))


REMEDY = "rebuild it from its ONNX file: --rebuild-plans"


def open_plan(
    folder: Path, manifest: EngineManifest, entry: EngineEntry, device: str, *, rebuild: bool = False
) -> TensorRtSession:
    """A session over the plan of `entry`. See checked_plan and TensorRtSession for what it raises."""
    require_gpu(device)
    import_tensorrt()
    plan = checked_plan(folder, manifest, entry, this_place(), PlanCache(), rebuild=rebuild)
    return TensorRtSession(plan, entry.buckets, device)


def checked_plan(
    folder: Path,
    manifest: EngineManifest,
    entry: EngineEntry,
    here: PlanPlace,
    cache: PlanCache,
    *,
    rebuild: bool = False,
) -> bytes:
    """The plan's bytes, if they may run here.

    Raises StalePlan when it was built for another network, TensorRT, GPU or platform, ForeignPlan when
    this machine did not build it, and what checked_bytes raises. With `rebuild`, either is answered by
    building the plan from the entry's ONNX file, which passes all the checks of an ONNX engine first; the
    folder stays as it is, the new plan is kept in the cache.
    """
    assert entry.plan is not None  # the manifest's own rule for TensorRT engines
    identity = entry.plan.identity
    reasons = identity.reasons_stale(manifest.files[entry.file].sha256, here)
    if not reasons:
        data = checked_bytes(folder, manifest, entry.plan.file)
        record = cache.record(identity)
        if record is not None and record.sha256 == manifest.files[entry.plan.file].sha256:
            return data
    if rebuild:
        onnx = checked_bytes(folder, manifest, entry.file)
        check_onnx(onnx, entry.file)
        fresh = identity.model_copy(update={"onnx": manifest.files[entry.file].sha256, "place": here})
        return cache.build(fresh, onnx)
    if reasons:
        raise StalePlan(
            found=f"{folder / entry.plan.file}: {'; '.join(reasons)}",
            expected="a plan for this network, TensorRT, GPU and platform",
            remedy=REMEDY,
        )
    raise ForeignPlan(
        found=f"{folder / entry.plan.file} was not built on this machine",
        expected="a plan on this machine's build record, as plans are native code",
        remedy=REMEDY,
    )


class EngineFolder:
    """The engines of one network."""

    def __init__(self, path: Path) -> None:
        """Read and validate the manifest. Raises an EngineFolderError."""
        self.path = path
        self.manifest: EngineManifest = read_manifest(path)

    def entry(self, graph: str, backend: str | None, precision: str) -> list[EngineEntry]:
        """The engines that answer to these names (any back-end when None). Raises NoSuchEngine."""
        found = [
            engine
            for engine in self.manifest.engines
            if engine.graph == graph
            and engine.precision == precision
            and (backend is None or engine.backend == backend)
        ]
        if not found:
            held = ", ".join(f"{e.graph}/{e.backend}/{e.precision}" for e in self.manifest.engines)
            raise NoSuchEngine(
                found=f"no engine {graph}/{backend or 'any back-end'}/{precision} in {self.path}",
                expected=f"one of {held or 'none: the folder is empty'}",
                remedy="name one of these, or export the one you need",
            )
        return found

    def session(
        self,
        graph: str,
        *,
        precision: str = "fp32",
        backend: str | None = None,
        device: str = "cpu",
        threads: int | None = None,
        rebuild_plans: bool = False,
    ) -> Session:
        """A session for one graph, on the named back-end or on the first that works here (ORDER).

        rebuild_plans: a TensorRT plan that is stale or foreign is built anew from its ONNX file.
        Raises an EngineFolderError when a file is not what was exported, or a plan not for this place;
        MissingPackage or ProviderUnavailable when a named back-end cannot run, NoBackend when none can.
        """
        entries = self.entry(graph, backend, precision)

        def opener(entry: EngineEntry) -> Callable[[], Session]:
            return lambda: self._open(entry, device, threads, rebuild_plans)

        if backend is not None:
            return opener(entries[0])()
        return first_working({entry.backend: opener(entry) for entry in entries})

    def _open(self, entry: EngineEntry, device: str, threads: int | None, rebuild: bool) -> Session:
        if entry.backend == "tensorrt":
            return open_plan(self.path, self.manifest, entry, device, rebuild=rebuild)
        data = checked_bytes(self.path, self.manifest, entry.file)
        check_onnx(data, entry.file)
        return open_engine(data, entry.backend, entry.precision, device, threads)
