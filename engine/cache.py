"""Where things that can be made again are kept between runs."""

import atexit
import functools
import logging
import os
import shutil
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """$DPA_CACHE, else dpa-engine in the XDG cache folder, else in ~/.cache. Where that cannot be written, a
    folder of this process alone, and one line: what is kept there can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return _writable(os.environ.get("DPA_CACHE") or os.path.join(home, "dpa-engine"))


@functools.cache
def _writable(wanted: str) -> Path:
    folder = Path(wanted)
    try:
        if not folder.is_absolute() and wanted.startswith("~"):
            raise OSError("no home folder")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        made = Path(tempfile.mkdtemp(prefix="dpa-engine-"))
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        log.warning(
            "the cache %s cannot be written (%s): a temporary one is used; name another in DPA_CACHE",
            wanted,
            error.strerror or error,
        )
        return made
    return folder
