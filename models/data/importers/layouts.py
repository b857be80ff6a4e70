"""The layouts that can be imported, by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from .catalogue import Catalogue
from .h36m_fetch import read_h36m_fetch
from .h36m_mks import read_h36m_mks
from .h36m_mmpose import read_h36m_mmpose
from .h36m_multiview import read_h36m_multiview
from .mpi_inf_3dhp import read_mpi_inf_3dhp
from .video import read_videos

LAYOUTS: Final[dict[str, Callable[[Path, Path | None], Catalogue]]] = {
    "h36m-multiview": read_h36m_multiview,
    "h36m-fetch": read_h36m_fetch,
    "h36m-mmpose": read_h36m_mmpose,
    "h36m-mks": read_h36m_mks,
    "mpi-inf-3dhp": read_mpi_inf_3dhp,
    "video": read_videos,
}
"""Each takes the source folder and, where the layout lacks camera poses, a file of published ones."""
