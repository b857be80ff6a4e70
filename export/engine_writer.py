"""Writing an engine folder: everything into a temporary folder beside it, the manifest last, then one rename.
A reader sees the whole folder or none."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dpa.engine.runs.environment import versions
from dpa.engine.sessions.errors import EngineFolderError
from dpa.engine.sessions.manifest import MANIFEST, EngineEntry, EngineManifest, FileEntry, read_manifest
from dpa.models.artefacts import require_ours
from dpa.models.atomic import partial_folder, sync_folder, write_text
from dpa.models.frameworks.base import DisentangledNetwork

PACKAGES = ("dpa-engine", "torch", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu", "openvino")
"""What has a say in an engine's bytes or figures."""

KIND = "an engine folder"


def holds_only_engines(folder: Path) -> bool:
    """Whether the manifest is an engine folder's and names every file in it: a data set has a manifest.json
    too, and a file that somebody put beside engines is not ours to remove."""
    try:
        manifest = read_manifest(folder)
    except EngineFolderError:
        return False
    return all(path.is_file() and path.name in {*manifest.files, MANIFEST} for path in folder.iterdir())


@contextmanager
def replacing_folder(out: Path, ours: Callable[[Path], bool] = holds_only_engines) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `out` when the block ends without an error.

    ours: whether what `out` holds may be replaced. Raises NotOurs, before anything is built and once more
    before the exchange, when it may not.
    """
    require_ours(out, KIND, ours)
    with partial_folder(out) as work:
        yield work
        work.chmod(0o755)
        require_ours(out, KIND, ours)
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
            out.rename(old / out.name)
            work.rename(out)
            shutil.rmtree(old)
        else:
            work.rename(out)
        sync_folder(out.parent)


def write_manifest(
    folder: Path, network: DisentangledNetwork, source: str, engines: Iterable[EngineEntry]
) -> EngineManifest:
    """Hash every file in the folder and write manifest.json over them."""
    files = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = FileEntry(sha256=digest, bytes=path.stat().st_size)
    manifest = EngineManifest(
        source=source,
        framework=network.framework,
        weights=network.fingerprint(),
        versions=versions(PACKAGES),
        files=files,
        engines=tuple(engines),
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True)
    write_text(folder / MANIFEST, text + "\n")
    return manifest
