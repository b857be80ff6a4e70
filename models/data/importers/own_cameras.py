"""One's own synchronised cameras: films, and a calibration file of one of the field's usual kinds.

TOML as Anipose and Pose2Sim write it (a table a camera: name, size, matrix, distortions, rotation,
translation); OpenCV YAML, either one file a camera in a folder (camera_matrix, distortion_coefficients, R, T)
or all cameras in one (K_x, dist_x, R_x or Rot_x, T_x; the pair intri.yml and extri.yml of EasyMocap). Films
belong to the camera whose name their file or folder holds; what else is in their names is the clip. Frames of
one clip are matched by their time since the film's beginning: films are taken to begin together.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.models.data.contract import NAME_LENGTH, Camera
from dpa.models.data.films import FilmFacts, film_facts, is_film
from dpa.models.errors import InputError, NeedsPackage

from .catalogue import BrokenAnnotations, Catalogue, Lens, NotThisLayout, VideoFile, View
from .pictures import reason

EXPECTED = (
    "films whose names hold those of the calibration's cameras, such as walk-cam1.mp4 and walk-cam2.mp4"
)
METRES = 50.0
"""Cameras farther apart than this number are measured in millimetres, else in metres: no file tells."""

FROM_CENTRES = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
"""OpenCV counts pixels from the first one's centre, the contract from its edge."""


@dataclass(frozen=True)
class Calibrated:
    """A camera as its file has it: placed in mm, its lens, and for pictures of which size (H, W)."""

    camera: Camera
    lens: Lens | None
    size: tuple[int, int] | None


def read_own_cameras(source: Path, calibration: Path | None = None) -> Catalogue:
    """The films below `source`. One without a camera of its name, or that cannot be read, is named and left
    out. Raises NotThisLayout, NeedsPackage, BrokenAnnotations, and InputError without a calibration file."""
    if calibration is None or not calibration.exists():
        raise InputError(
            found="no calibration file" if calibration is None else f"{calibration}: no such file or folder",
            expected="a TOML or OpenCV YAML file with every camera",
            remedy="give it with --calibration FILE",
        )
    known = read_cameras(calibration)
    films = [path for path in sorted(source.rglob("*")) if path.is_file() and is_film(path)]
    if not films:
        raise NotThisLayout(source, "films", EXPECTED)
    clips: dict[tuple[str, str], dict[str, tuple[Path, FilmFacts]]] = defaultdict(dict)
    skipped: list[tuple[str, str]] = []
    for path in films:
        inside = path.relative_to(source)
        named = _camera_of(inside, known)
        if named is None:
            skipped.append((str(inside), f"holds no name of a calibrated camera ({', '.join(known)})"))
            continue
        name, clip = named
        try:
            facts = film_facts(path)
            _scale(known[name], facts.size)
        except NeedsPackage:
            raise
        except Exception as error:  # PyAV raises anything for bad bytes
            skipped.append((str(inside), reason(error)))
            continue
        subject = inside.parts[0] if len(inside.parts) > 1 and inside.parts[0] not in known else "unknown"
        if name in clips[subject, clip]:
            skipped.append((str(inside), f"a second film of {name} in this clip"))
            continue
        clips[subject, clip][name] = path, facts
    views = [view for key, seen in sorted(clips.items()) for view in _clip(*key, seen, known)]
    sizes = {name: facts.size for seen in clips.values() for name, (_, facts) in seen.items()}
    cameras = {name: _scaled(known[name], size) for name, size in sizes.items()}
    return Catalogue(tuple(views), cameras, tuple(skipped), {"poses": "none", "extrinsics": "from a file"})


def _camera_of(inside: Path, known: Mapping[str, Calibrated]) -> tuple[str, str] | None:
    """(camera, clip): the longest camera's name that stands in the path as a word, the last place first, and
    the path without it."""
    text = inside.with_suffix("").as_posix()
    for name in sorted(known, key=len, reverse=True):
        places = list(re.finditer(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text))
        if places:
            rest = text[: places[-1].start()] + text[places[-1].end() :]
            return name, re.sub(r"[\s_./-]+", " ", rest).strip() or "clip"
    return None


def _clip(
    subject: str, clip: str, seen: Mapping[str, tuple[Path, FilmFacts]], known: Mapping[str, Calibrated]
) -> list[View]:
    """The views of one clip, their frames numbered by the ticks of the slowest camera's rate."""
    rate = min(facts.fps for _, facts in seen.values())
    views = []
    for name, (path, facts) in sorted(seen.items()):
        ticks = np.round(facts.times * rate).astype(np.int64)
        away = np.abs(facts.times * rate - ticks)
        best = np.lexsort((away, ticks))  # of several frames at one tick the nearest
        rows = np.sort(best[np.unique(ticks[best], return_index=True)[1]])
        views.append(
            View(
                subject[:NAME_LENGTH],
                clip[:NAME_LENGTH],
                clip,
                name,
                numbers=ticks[rows],
                pictures=VideoFile(path, rows, _scaled_lens(known[name], facts.size)),
                fps=rate,
                times=facts.times[rows],
            )
        )
    return views


def _scale(calibrated: Calibrated, size: tuple[int, int]) -> float:
    """Pixels of the film per pixel of the calibration. Raises ValueError for another shape."""
    if calibrated.size is None or calibrated.size == size:
        return 1.0
    across, down = size[1] / calibrated.size[1], size[0] / calibrated.size[0]
    if abs(across / down - 1) > 0.02:
        height, width = calibrated.size
        raise ValueError(f"{size[1]}x{size[0]} pixels, calibrated at {width}x{height}")
    return across


def _scaled(calibrated: Calibrated, size: tuple[int, int]) -> Camera:
    scale, camera = _scale(calibrated, size), calibrated.camera
    matrix = np.diag([scale, scale, 1.0]) @ camera.intrinsics
    return Camera(camera.name, matrix, camera.rotation, camera.translation)


def _scaled_lens(calibrated: Calibrated, size: tuple[int, int]) -> Lens | None:
    lens, matrix = calibrated.lens, _scaled(calibrated, size).intrinsics - FROM_CENTRES
    return None if lens is None else Lens.of(matrix, lens.distortion, fisheye=lens.fisheye)


def read_cameras(path: Path) -> dict[str, Calibrated]:
    """Every camera of a calibration file, or of a folder of OpenCV's files, by name.

    Raises BrokenAnnotations, NeedsPackage."""
    try:
        if path.suffix.lower() == ".toml":
            tables = _of_toml(tomllib.loads(path.read_text(encoding="utf-8")))
        elif path.is_dir():
            tables = {one.stem: _of_one(_yaml(one)) for one in sorted(path.glob("*.y*ml"))}
        else:
            other = path.with_name("extri.yml")
            beside = _yaml(other) if path.name == "intri.yml" and other.is_file() else {}
            nodes = _yaml(path) | beside
            tables = {path.stem: _of_one(nodes)} if "camera_matrix" in nodes else _of_many(nodes)
        if not tables:
            raise ValueError("no camera in it")
        return _placed(tables)
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        if isinstance(error, NeedsPackage):
            raise
        expected = "cameras as Anipose, Pose2Sim, OpenCV or EasyMocap write them"
        raise BrokenAnnotations(path, f"{type(error).__name__}: {error}", expected) from error


Table = Mapping[str, Any]
"""matrix [3, 3], distortion [n], rotation ([3] Rodrigues or [3, 3]), translation [3], size (H, W) or None,
fisheye."""


def _of_toml(document: Mapping[str, Any]) -> dict[str, Table]:
    found: dict[str, Table] = {}
    for key, table in document.items():
        if not isinstance(table, dict) or "matrix" not in table:
            continue
        size = table.get("size")
        found[str(table.get("name", key))] = {
            "matrix": table["matrix"],
            "distortion": table.get("distortions", ()),
            "rotation": table["rotation"],
            "translation": table["translation"],
            "size": None if size is None else (int(size[1]), int(size[0])),
            "fisheye": bool(table.get("fisheye", False)),
        }
    return found


def _of_one(nodes: Mapping[str, Any]) -> Table:
    """OpenCV's names for one camera."""
    names = {"rotation": ("R", "rvec", "rotation_matrix"), "translation": ("T", "t", "tvec")}
    placed = {what: next(nodes[key] for key in keys if key in nodes) for what, keys in names.items()}
    size = nodes.get("image_height"), nodes.get("image_width")
    known = None not in size
    return {
        **placed,
        "matrix": nodes["camera_matrix"],
        "distortion": nodes.get("distortion_coefficients", ()),
        "size": (int(size[0]), int(size[1])) if known else None,  # type: ignore[arg-type]
        "fisheye": False,
    }


def _of_many(nodes: Mapping[str, Any]) -> dict[str, Table]:
    """EasyMocap's names: K_x, dist_x, Rot_x or R_x, T_x of every camera x."""
    found: dict[str, Table] = {}
    for name in (key[2:] for key in nodes if key.startswith("K_")):
        found[name] = {
            "matrix": nodes[f"K_{name}"],
            "distortion": nodes.get(f"dist_{name}", nodes.get(f"D_{name}", ())),
            "rotation": nodes[f"Rot_{name}"] if f"Rot_{name}" in nodes else nodes[f"R_{name}"],
            "translation": nodes[f"T_{name}"],
            "size": None,
            "fisheye": False,
        }
    return found


def _yaml(path: Path) -> dict[str, Any]:
    """An OpenCV YAML file's matrices, numbers and strings by name."""
    cv2 = _cv2()
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        nodes = {}
        for key in storage.root().keys():  # noqa: SIM118  # no dictionary
            node = storage.getNode(key)
            nodes[key] = node.mat() if node.isMap() else node.real() if not node.isSeq() else None
        storage.release()
    except Exception as error:  # OpenCV raises errors of several kinds for what is no such file
        raise ValueError(f"no OpenCV YAML ({type(error).__name__})") from error
    return {key: value for key, value in nodes.items() if value is not None}


def _placed(tables: Mapping[str, Table]) -> dict[str, Calibrated]:
    """Cameras in mm: translations are metres where all cameras lie within METRES of each other."""
    cv2 = _cv2()
    turns, shifts = {}, {}
    for name, table in tables.items():
        rotation = _finite(table["rotation"])
        turns[name] = cv2.Rodrigues(rotation.reshape(3))[0] if rotation.size == 3 else rotation.reshape(3, 3)
        shifts[name] = _finite(table["translation"]).reshape(3)
    centres = np.stack([-turns[name].T @ shifts[name] for name in tables])
    unit = 1000.0 if np.linalg.norm(centres - centres[0], axis=1).max() < METRES else 1.0
    found = {}
    for name, table in tables.items():
        matrix = _finite(table["matrix"]).reshape(3, 3)
        bent = _finite(table["distortion"]).reshape(-1)
        lens = Lens.of(matrix, bent, fisheye=table["fisheye"]) if bent.any() else None
        camera = Camera(name, matrix + FROM_CENTRES, turns[name], shifts[name] * unit)
        found[name] = Calibrated(camera, lens, table["size"])
    return found


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    found = np.array(values, np.float64)
    if not np.isfinite(found).all():
        raise ValueError("numbers that are not finite")
    return found


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise NeedsPackage("opencv-python-headless") from error
    return cv2
