"""Where things that can be made again are kept between runs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$DPA_CACHE, else dpa-engine in the XDG cache folder, else in ~/.cache."""
    if chosen := os.environ.get("DPA_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dpa-engine"
