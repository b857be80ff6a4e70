"""A small synthetic set, from which the tests write trees in each layout, and what is known of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dpa.models.data.importers.catalogue import Catalogue
from dpa.models.data.importers.run import ImportReport, import_catalogue
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.clip import take
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import clip_keys, generate

NUMBERS = ("54138969", "55011271", "58860488", "60457274")
JOINTS_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Where the 17 joints lie among Human3.6M's 32 (docs/data-sets.md)."""

CONFIG = SynthConfig(
    subjects=("S1", "S11"),
    actions=("Photo", "Walking"),
    clips=1,
    frames=9,
    fps=1.0,
    size=64,
    seed=3,
    workers=1,
    supersample=1,
)


@dataclass(frozen=True)
class Shot:
    """One synthetic clip seen by one camera: frames uint8 [T, 64, 64, 3], poses [T, 17, 3] mm in the camera's
    axes from its centre, pixels [T, 17, 2], silhouettes bool [T, 64, 64], boxes θ [T, 4]."""

    subject: str
    action: str
    number: str
    camera: int
    frames: np.ndarray
    poses: np.ndarray
    pixels: np.ndarray
    world: np.ndarray
    silhouettes: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class Scene:
    store: PackedStore
    shots: tuple[Shot, ...]

    numbers: tuple[str, ...] = NUMBERS
    joints_32: tuple[int, ...] = JOINTS_32

    def of(self, subject: str, action: str) -> list[Shot]:
        return [shot for shot in self.shots if (shot.subject, shot.action) == (subject, action)]

    @staticmethod
    def save(path: Path, pixels: np.ndarray) -> None:
        """JPEG or PNG by its suffix."""
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
        Image.fromarray(pixels).save(path, **options)

    @staticmethod
    def rows(store: PackedStore, shot: Shot) -> np.ndarray:
        """Rows of the shot's view in an imported store whose cameras' names end as the shot's."""
        named = np.array([one.name.endswith(shot.number) for one in store.cameras])[store.camera]
        return np.flatnonzero((store.subject == shot.subject) & (store.action == shot.action) & named)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """2 subjects x 2 actions x 9 frames x 4 cameras at 64 x 64 pixels."""
    store = generate(CONFIG, tmp_path_factory.mktemp("importers") / "synthetic")
    shots = []
    for sequence, key in enumerate(clip_keys(CONFIG)):
        world = take(key, CONFIG.frames, CONFIG.fps, CONFIG.seed).joints
        for camera, number in enumerate(NUMBERS):
            rows = np.flatnonzero((store.sequence == sequence) & (store.camera == camera))
            lens = store.cameras[camera]
            shots.append(
                Shot(
                    key.subject,
                    key.action,
                    number,
                    camera,
                    store.frames_u8_at(rows),
                    lens.to_camera(world),
                    lens.project(world),
                    world,
                    store.silhouettes(rows),
                    np.asarray(store.box[rows]),
                )
            )
    return Scene(store, tuple(shots))


@pytest.fixture(scope="session")
def pack() -> Callable[..., tuple[PackedStore, ImportReport]]:
    """Imports a catalogue into a folder that is not there yet: (store, report)."""

    def run(catalogue: Catalogue, out: Path, **options: Any) -> tuple[PackedStore, ImportReport]:
        report = import_catalogue(catalogue, out.parent, out, layout="test", **options)
        return PackedStore.open(out), report

    return run
