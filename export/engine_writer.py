"""Writing an engine folder: everything into a temporary folder beside it, the manifest last, then one
rename. A reader sees the whole folder or none."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dpa.engine.sessions.manifest import MANIFEST, EngineEntry, FileEntry, Manifest
from dpa.export.fingerprint import package_versions, weights_fingerprint
from dpa.models.atomic import sync_folder, write_text
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork


class OutputInTheWay(InputError):
    """The folder to write exists and is not an engine folder."""


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `out` when the block ends without an error.

    Raises OutputInTheWay, before anything is built, when `out` holds something else than engines.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise OutputInTheWay(
            found=f"{out} exists and is not an engine folder",
            expected="a new folder, an empty one, or engines to replace",
            remedy="name another folder with --out",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield work
        work.chmod(0o755)
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
            out.rename(old / out.name)
            work.rename(out)
            shutil.rmtree(old)
        else:
            work.rename(out)
        sync_folder(out.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_manifest(
    folder: Path, network: DisentangledNetwork, source: str, engines: Iterable[EngineEntry]
) -> Manifest:
    """Hash every file in the folder and write manifest.json over them."""
    files = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = FileEntry(sha256=digest, bytes=path.stat().st_size)
    manifest = Manifest(
        source=source,
        framework=network.framework,
        weights=weights_fingerprint(network),
        versions=package_versions(),
        files=files,
        engines=tuple(engines),
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True)
    write_text(folder / MANIFEST, text + "\n")
    return manifest
