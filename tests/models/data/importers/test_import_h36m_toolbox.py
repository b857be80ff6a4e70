"""H36M-Toolbox's lists of records: every reading of joints and T that goes round comes back as the same."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpa.models.data.importers.catalogue import BrokenAnnotations, NotThisLayout, RefusedPickle
from dpa.models.data.importers.h36m_toolbox import read_h36m_toolbox

ACT = {"Photo": 12, "Walking": 14}
STEP = 5


def write_tree(root: Path, scene: Any, world: bool, as_place: bool, spelling: str = "joints_3d") -> Path:
    """world: joints in the world; as_place: T is where the camera is."""
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    for shot in scene.shots:
        lens = scene.store.cameras[shot.camera]
        place = -lens.rotation.T @ lens.translation if as_place else lens.translation
        number = int(shot.subject[1:])
        base = f"s_{number:02d}_act_{ACT[shot.action]:02d}_subact_01_ca_{shot.camera + 1:02d}"
        for n, frame in enumerate(shot.frames):
            image = f"{base}/{base}_{n * STEP + 1:06d}.jpg"
            scene.save(root / "images" / image, frame)
            parts["train" if shot.subject == "S1" else "validation"].append(
                {
                    "image": image,
                    "subject": number,
                    "joints_2d": shot.pixels[n],
                    spelling: shot.world[n] if world else shot.poses[n],
                    "center": np.array([32.0, 32.0]),
                    "camera": {
                        "R": lens.rotation,
                        "T": place[:, None],
                        "fx": np.array([lens.intrinsics[0, 0]]),
                        "fy": np.array([lens.intrinsics[1, 1]]),
                        "cx": np.array([lens.intrinsics[0, 2]]),
                        "cy": np.array([lens.intrinsics[1, 2]]),
                        "name": "camera",
                    },
                }
            )
    for part, records in parts.items():
        order = np.random.default_rng(0).permutation(len(records))
        (root / "annot").mkdir(parents=True, exist_ok=True)
        (root / "annot" / f"h36m_{part}.pkl").write_bytes(pickle.dumps([records[i] for i in order], 4))
    return root


@pytest.mark.parametrize("world", [True, False])
@pytest.mark.parametrize("as_place", [True, False])
def test_everything_comes_back(scene: Any, pack: Any, tmp_path: Path, world: bool, as_place: bool) -> None:
    source = write_tree(
        tmp_path / "src", scene, world, as_place, "joints_3d" if world else "joints_3d_camera"
    )
    catalogue = read_h36m_toolbox(source)
    assert catalogue.skipped == ()
    store, report = pack(catalogue, tmp_path / "store")
    assert len(store) == len(scene.store) and report.quarantined == ()
    for shot in scene.shots:
        number = ("54138969", "55011271", "58860488", "60457274")[shot.camera]
        named = np.array([c.name == f"{shot.subject}.{number}" for c in store.cameras])[store.camera]
        rows = np.flatnonzero(named & (store.action == shot.action))
        np.testing.assert_array_equal(store.frame[rows], np.arange(9) * STEP)
        np.testing.assert_allclose(store.poses[rows], shot.poses - shot.poses[:, :1], atol=0.01)
        np.testing.assert_allclose(store.pixels[rows], shot.pixels, atol=1e-3)
        lens, true = store.cameras[store.camera[rows[0]]], scene.store.cameras[shot.camera]
        np.testing.assert_allclose(lens.rotation, true.rotation, atol=1e-9)
        np.testing.assert_allclose(lens.translation, true.translation, atol=1e-6)


def test_records_that_do_not_fit_are_named(scene: Any, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "src", scene, True, True)
    path = source / "annot" / "h36m_train.pkl"
    records = pickle.loads(path.read_bytes())
    for record in records:
        if "act_14_subact_01_ca_02" in record["image"]:
            record["joints_2d"] = record["joints_2d"] + 30
        if "act_12_subact_01_ca_03" in record["image"]:
            del record["joints_3d"]
    path.write_bytes(pickle.dumps(records))
    catalogue = read_h36m_toolbox(source)
    named = dict(catalogue.skipped)
    assert "none of joints_3d_camera" in named["s_01_act_12_subact_01_ca_03"]
    assert "lies on the 2D joints" in named["s_01_act_14_subact_01_ca_02"]
    assert len(catalogue.views) == 14 and len(named) == 2


def test_what_is_no_list_of_records_is_told(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(NotThisLayout, match=r"h36m_train\.pkl"):
        read_h36m_toolbox(tmp_path)
    path = tmp_path / "h36m_train.pkl"
    for value in ({"a": 1}, [1], [{"image": "somewhere.jpg"}]):
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(BrokenAnnotations, match=r"h36m_train\.pkl"):
            read_h36m_toolbox(tmp_path)
    path.write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(RefusedPickle):
        read_h36m_toolbox(tmp_path)
