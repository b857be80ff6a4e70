"""What an import is measured on, and what the measurement prints."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dpa.bench.imports import CAMERAS, DISTINCT, write_pictures
from dpa.engine.cli.app import app
from dpa.models.data.importers.run import import_catalogue
from dpa.models.data.store import PackedStore

SIZE = 48


def test_the_pictures_are_an_import_like_any_other(tmp_path: Path) -> None:
    """Nothing is quarantined, the frames come back, and the figure is found where it was painted."""
    catalogue = write_pictures(tmp_path / "src", 60, SIZE)
    files = sorted((tmp_path / "src").rglob("*.jpg"))
    assert len(files) == 60 > DISTINCT and files[0].read_bytes() != files[1].read_bytes()
    report = import_catalogue(catalogue, tmp_path / "src", tmp_path / "store", layout="bench")
    store = PackedStore.open(tmp_path / "store")
    assert (report.frames, report.quarantined, store.size) == (60, (), (SIZE, SIZE))
    with Image.open(files[7]) as image:
        np.testing.assert_array_equal(store.frames_u8_at([7])[0], np.asarray(image.convert("RGB")))
    found = store.silhouettes(np.array([20]))[0]
    joints = catalogue.views[0].joints
    assert joints is not None
    (left, top), (right, bottom) = joints[20].min(axis=0), joints[20].max(axis=0)
    painted = np.zeros((SIZE, SIZE), bool)
    painted[int(top) : int(bottom), int(left) : int(right)] = True
    assert (found & painted).sum() > 0.8 * (found | painted).sum()


def test_cameras_take_turns_over_whole_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpa.bench.imports.CLIP", 3)
    views = write_pictures(tmp_path, 3 * CAMERAS + 2, 16).views
    assert [len(view.numbers) for view in views] == [3] * CAMERAS + [2]
    assert [view.clip for view in views] == ["0"] * CAMERAS + ["1"]
    assert len({view.camera for view in views}) == CAMERAS


def test_the_command_prints_what_it_measured(tmp_path: Path) -> None:
    given = ["bench", "import", "--frames", "40", "--size", "32", "--folder", str(tmp_path)]
    told = CliRunner().invoke(app, [*given, "--json"])
    found = json.loads(told.stdout)
    assert found["stored_frames"] == found["frames"] == 40
    for name in ("import", "decode", "copy"):
        one = found[name]
        assert one["images_per_s"] * one["seconds"] == pytest.approx(40)
        assert one["mb_per_s"] == pytest.approx(one["images_per_s"] * 32 * 32 * 3 / 1e6)
    plain = found["decode"]["seconds"] + found["copy"]["seconds"]
    assert found["share_of_plain"] == pytest.approx(plain / found["import"]["seconds"])
    assert found["peak_mb"].keys() == {"tenth", "all"} and found["largest_worker_mb"] is None
    assert list(tmp_path.iterdir()) == []
    printed = CliRunner().invoke(app, given).stdout
    assert "peak memory" in printed and "images/s" in printed
