"""Any clips of fixed cameras, without poses: for self-supervised training.

A video is a clip of its own; the folder below the source that it lies in names the subject, its file name the
action. Cameras are not calibrated: a usual field of view is written down, and said to be guessed.
"""

from pathlib import Path

import numpy as np

from dpa.models.data.contract import NAME_LENGTH, Camera
from dpa.models.data.films import film_facts, is_film
from dpa.models.errors import NeedsPackage

from .catalogue import Catalogue, NotThisLayout, VideoFile, View
from .pictures import reason

GUESSED_FOCAL = 1.2
"""Of the longer side: about 45 degrees, as of a telephone or a laptop."""


def read_videos(source: Path, extrinsics: Path | None = None) -> Catalogue:
    """All videos in `source`, or the one file that it is. extrinsics: not used, nothing is calibrated.

    A video that cannot be opened is skipped and named. Raises NotThisLayout, NeedsPackage.
    """
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    files = [path for path in files if is_film(path)]
    if not files:
        raise NotThisLayout(source, "videos", "files that PyAV opens as films")
    views: list[View] = []
    cameras: dict[str, Camera] = {}
    skipped: list[tuple[str, str]] = []
    for path in files:
        inside = path.relative_to(source) if path != source else Path(path.name)
        try:
            film = film_facts(path)
        except NeedsPackage:
            raise
        except Exception as error:  # PyAV raises anything for bad bytes
            skipped.append((str(inside), reason(error)))
            continue
        height, width = film.size
        name = f"uncalibrated {width}x{height}"
        cameras[name] = _guessed(name, width, height)
        subject = inside.parts[0] if len(inside.parts) > 1 else "unknown"
        frames = np.arange(len(film.times))
        views.append(
            View(
                subject[:NAME_LENGTH],
                inside.stem[:NAME_LENGTH],
                inside.as_posix(),
                name,
                numbers=frames,
                pictures=VideoFile(path, frames),
                fps=film.fps,
                times=film.times,
                stand=inside.as_posix(),
            )
        )
    return Catalogue(tuple(views), cameras, tuple(skipped), {"poses": "none", "cameras": "guessed"})


def _guessed(name: str, width: int, height: int) -> Camera:
    focal = GUESSED_FOCAL * max(width, height)
    matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Camera(name, matrix, np.eye(3), np.zeros(3))
