"""An engine folder as `export` writes it, opened for running: manifest first, then the files' bytes,
then, for ONNX, their structure; only then a back-end."""

from collections.abc import Callable
from pathlib import Path

from dpa.engine.sessions.fallback import first_working
from dpa.engine.sessions.manifest import EngineEntry, Manifest, checked_bytes, read_manifest
from dpa.engine.sessions.manifest_errors import NoSuchEngine
from dpa.engine.sessions.onnx_check import check_onnx
from dpa.engine.sessions.open_engine import open_engine
from dpa.engine.sessions.open_plan import open_plan
from dpa.engine.sessions.protocol import Session


class EngineFolder:
    """The engines of one network."""

    def __init__(self, path: Path) -> None:
        """Read and validate the manifest. Raises an EngineFolderError."""
        self.path = path
        self.manifest: Manifest = read_manifest(path)

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
