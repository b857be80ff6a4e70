"""The layouts that can be imported, by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from .catalogue import Catalogue
from .h36m_fetch import read_h36m_fetch

LAYOUTS: Final[dict[str, Callable[[Path, Path | None], Catalogue]]] = {
    "h36m-fetch": read_h36m_fetch,
}
