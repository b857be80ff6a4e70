"""What an import does when a package, the disk or a picture lets it down."""

import errno
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from dpa.models.artefacts import NotOurs, claim
from dpa.models.atomic import DiskFull
from dpa.models.data.contract import Camera
from dpa.models.data.importers import mpi_inf_3dhp, shard
from dpa.models.data.importers.calibration import read_calibration
from dpa.models.data.importers.catalogue import (
    BrokenAnnotations,
    Catalogue,
    NothingToImport,
    OtherImport,
    PictureFiles,
    ReaderLost,
    View,
)
from dpa.models.data.importers.h36m_multiview import read_h36m_multiview
from dpa.models.data.importers.run import import_catalogue
from dpa.models.data.importers.video import read_videos
from dpa.models.errors import InputError, NeedsPackage

SIDE, COUNT = 32, 5


def catalogue(folder: Path, clips: int = 3) -> Catalogue:
    """Clips of a square that moves, poses unknown, boxes from the pictures alone."""
    views = []
    for clip in range(clips):
        where = folder / str(clip)
        where.mkdir(parents=True)
        for n in range(COUNT):
            pixels = np.full((SIDE, SIDE, 3), 30, np.uint8)
            pixels[5:15, 6 * n : 6 * n + 6] = 220
            Image.fromarray(pixels).save(where / f"{n}.png")
        files = PictureFiles(where, "{:01d}.png", np.arange(COUNT))
        views.append(View("S1", "a", str(clip), "c", np.arange(COUNT), files, 25.0))
    lens = Camera("c", np.diag([40.0, 40, 1]), np.eye(3), np.zeros(3))
    return Catalogue(tuple(views), {"c": lens})


def test_a_full_disk_is_named_and_what_was_done_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, out, calls = catalogue(tmp_path / "src"), tmp_path / "store", []

    def full(path: Path) -> None:
        calls.append(path)
        if len(calls) > 3:  # the second view's first file
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(DiskFull, match="run the command again"):
        patch.setattr(shard, "sync_file", full)
        import_catalogue(found, tmp_path, out, layout="test")
    report = import_catalogue(found, tmp_path, out, layout="test")
    assert (report.resumed, report.frames) == (1, 3 * COUNT)


def test_pictures_of_another_size_are_quarantined(tmp_path: Path, pack: Any) -> None:
    found = catalogue(tmp_path / "src")
    Image.new("RGB", (SIDE, SIDE - 1)).save(tmp_path / "src" / "1" / "2.png")
    (tmp_path / "src" / "2" / "0.png").write_bytes(b"")
    store, report = pack(found, tmp_path / "store")
    assert [bad.reason.split(": ", 1)[1][:20] for bad in report.quarantined] == [
        "32x31, not 32x32 pix",
        "cannot identify imag",
    ]
    assert np.bincount(store.sequence).tolist() == [COUNT, COUNT - 1, COUNT - 1]
    np.testing.assert_array_equal(store.frame[store.sequence == 1], [0, 1, 3, 4])


def test_a_clip_without_a_readable_picture_is_skipped(tmp_path: Path, pack: Any) -> None:
    found = catalogue(tmp_path / "src")
    for path in (tmp_path / "src" / "1").iterdir():
        path.unlink()
    store, report = pack(found, tmp_path / "store")
    assert len(store) == 2 * COUNT and len(report.quarantined) == COUNT
    assert sorted(set(store.sequence.tolist())) == [0, 1]


def test_nothing_readable_at_all_is_an_error(tmp_path: Path) -> None:
    found = catalogue(tmp_path / "src", clips=1)
    for path in (tmp_path / "src" / "0").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(NothingToImport, match="none of its pictures can be read"):
        import_catalogue(found, tmp_path, tmp_path / "store", layout="test")
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "src" / "0" / "0.png")  # and nobody in it
    with pytest.raises(NothingToImport, match="all 5 pictures left out"):
        import_catalogue(found, tmp_path, tmp_path / "store", layout="test")
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.h5").write_bytes(b"")
    (tmp_path / "a.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(NeedsPackage, match=r"'h5py'.*\n.*\n.*dpa-engine\[import\]"):
        read_h36m_multiview(tmp_path)
    with pytest.raises(NeedsPackage, match="'av'"):
        read_videos(tmp_path)


def test_calibration_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_calibration(tmp_path / "absent.json")
    for text in ("{", "[]", '{"extrinsics": {"S1": {"c": {"R": [1], "t": [0, 0, 0]}}}}', '{"extrinsics": 3}'):
        (tmp_path / "some.json").write_text(text)
        with pytest.raises(BrokenAnnotations, match=r"some\.json"):
            read_calibration(tmp_path / "some.json")


def write_labels(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name in ("subj", "seq", "cam"):
            file[name] = np.zeros(4)
        file["frame"] = np.arange(4)
        file["3D"] = np.random.default_rng(0).normal(size=(4, 17, 3))
        file["extrinsic_rot"] = np.tile(np.eye(3), (4, 1, 1))


def test_damaged_hdf5_is_an_error_with_a_name_or_data(tmp_path: Path) -> None:
    """Random bytes changed, or the end cut off: nothing else comes out, whatever HDF5 makes of it."""
    path = tmp_path / "labels.h5"
    write_labels(path)
    whole, rng, named = path.read_bytes(), np.random.default_rng(0), 0
    for attempt in range(80):
        damaged = bytearray(whole)
        if attempt % 4 == 0:
            del damaged[rng.integers(len(whole)) :]
        for _ in range(rng.integers(1, 30)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_h36m_multiview(tmp_path)
        except BrokenAnnotations as error:
            named += 1
            assert "labels.h5" in str(error)
    assert named > 20


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 17, 3), np.nan), "no finite number"),
        (np.full((4, 17, 3), b"x"), "of type"),
        (np.full((4, 3), 1.0), "shape"),
    ],
)
def test_annotations_that_are_no_poses_are_named(tmp_path: Path, values: Any, message: str) -> None:
    write_labels(tmp_path / "labels.h5")
    with h5py.File(tmp_path / "labels.h5", "r+") as file:
        del file["3D"]
        file["3D"] = values
    with pytest.raises(BrokenAnnotations, match=message):
        read_h36m_multiview(tmp_path)


def test_a_reader_that_crashes_takes_nothing_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SciPy's MATLAB reader has crashed on damaged bytes; here its process is replaced by one that fails."""
    annotations = tmp_path / "S1" / "Seq1" / "annot.mat"
    annotations.parent.mkdir(parents=True)
    annotations.write_text("#!/bin/sh\nexit 1\n")
    annotations.chmod(0o755)
    monkeypatch.setattr(mpi_inf_3dhp, "_cells", os.execv)
    ((name, why),) = mpi_inf_3dhp.read_mpi_inf_3dhp(tmp_path).skipped
    assert name == "S1 Seq1" and "BrokenProcessPool" in why


def test_a_reading_process_that_is_killed_is_told_and_what_was_done_is_kept(tmp_path: Path) -> None:
    """As the system does it when memory runs out."""
    found, out = catalogue(tmp_path / "src", clips=40), tmp_path / "store"

    def kill(done: int, total: int) -> None:
        if done:
            for child in multiprocessing.active_children():
                child.kill()

    with pytest.raises(ReaderLost, match=r"S1 a \d+ c.*\n.*kept") as caught:
        import_catalogue(found, tmp_path, out, layout="test", workers=2, progress=kill)
    assert caught.value.exit_code == 1 and not out.exists()
    report = import_catalogue(found, tmp_path, out, layout="test")
    assert report.resumed >= 1 and report.frames == 40 * COUNT


def test_a_folder_that_only_looks_like_an_import_s_is_left_alone(tmp_path: Path) -> None:
    found, out = catalogue(tmp_path / "src", 1), tmp_path / "store"
    other = tmp_path / "store.importing"
    (other / "photographs").mkdir(parents=True)
    (other / "photographs" / "wedding.jpg").write_bytes(b"once")
    with pytest.raises(NotOurs):
        import_catalogue(found, tmp_path, out, layout="x")
    assert [path.name for path in other.rglob("*")] == ["photographs", "wedding.jpg"] and not out.exists()


def test_an_import_removes_from_its_folder_only_what_it_put_there(tmp_path: Path) -> None:
    found, out = catalogue(tmp_path / "src", 1), tmp_path / "store"
    claim(tmp_path / "store.importing", "an unfinished import")
    (tmp_path / "store.importing" / "notes.txt").write_text("mine")
    import_catalogue(found, tmp_path, out, layout="x")
    assert [path.name for path in (tmp_path / "store.importing").iterdir()] == ["notes.txt"]
    assert out.is_dir()


@pytest.mark.parametrize("what", ["frames", "bits", "rows.npy", "plate.npy", "json", "read.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_damaged_part_of_an_unfinished_import_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, damage: str
) -> None:
    found = catalogue(tmp_path / "src", 2)
    import_catalogue(found, tmp_path, tmp_path / "whole", layout="x")
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("dpa.models.data.importers.run.assemble", lambda *_, **__: 1 / 0)
        import_catalogue(found, tmp_path, tmp_path / "store", layout="x")
    path = next((tmp_path / "store.importing").glob(f"000000.{what}"))
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data if damage == "bit" else data[: len(data) // 2])
    import_catalogue(found, tmp_path, tmp_path / "store", layout="x")
    for one in sorted((tmp_path / "whole").iterdir()):
        assert (tmp_path / "store" / one.name).read_bytes() == one.read_bytes(), one.name


def test_a_damaged_plan_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = catalogue(tmp_path / "src", 1)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("dpa.models.data.importers.run.assemble", lambda *_, **__: 1 / 0)
        import_catalogue(found, tmp_path, tmp_path / "store", layout="x")
    (tmp_path / "store.importing" / "plan.json").write_text("{")
    with pytest.raises(OtherImport):
        import_catalogue(found, tmp_path, tmp_path / "store", layout="x")
