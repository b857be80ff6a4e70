"""One test for each way in which a store, or what is to be written into one, can be wrong."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dpa.bench.data import write_noise_store
from dpa.models.atomic import DiskFull
from dpa.models.data.contract import Camera, clip_rows
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.data.store_format import (
    BrokenIndex,
    MissingPlate,
    NotAStore,
    OutputExists,
    TruncatedFile,
    WrongVersion,
)
from dpa.models.errors import InputError

SIZE = 4
ROW = {
    "subject": "S1", "action": "Walking", "outfit": "S1", "sequence": 0, "camera": 0, "plate": 0, "frame": 0,
    "time": 0.0, "box": np.array([1.0, 1, 0, 0]),
}  # fmt: skip
CAMERA = Camera("c", np.eye(3), np.eye(3), np.zeros(3))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("original") / "set"
    write_noise_store(out, count=6, size=SIZE)
    return out


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(original, tmp_path / "set"))


def edit_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def edit_index(folder: Path, column: str, values: list[int]) -> None:
    table = pq.read_table(folder / "index.parquet")
    at = table.column_names.index(column)
    field = table.schema.field(at)
    pq.write_table(table.set_column(at, field, [values]), folder / "index.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["bytes"]["index.parquet"] = (folder / "index.parquet").stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_copy_itself_opens(folder: Path) -> None:
    assert len(PackedStore.open(folder)) == 6


@pytest.mark.parametrize(
    "name", ["frames.u8", "silhouettes.bits", "plates.u8", "poses.f32", "index.parquet", "cameras.json"]
)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_length(folder: Path, name: str, change: int) -> None:
    os.truncate(folder / name, (folder / name).stat().st_size + change)
    with pytest.raises(TruncatedFile, match=name):
        PackedStore.open(folder)


def test_an_absent_file(folder: Path) -> None:
    (folder / "poses.f32").unlink()
    with pytest.raises(TruncatedFile, match=r"poses.f32: no such file\s+expected: 1,224 bytes"):
        PackedStore.open(folder)


def test_absent_plates(folder: Path) -> None:
    (folder / "plates.u8").unlink()
    with pytest.raises(MissingPlate, match="4 plates"):
        PackedStore.open(folder)


@pytest.mark.parametrize("number", [-1, 4])
def test_a_frame_whose_plate_is_not_there(folder: Path, number: int) -> None:
    edit_index(folder, "plate", [0, 1, 2, 3, 0, number])
    with pytest.raises(MissingPlate, match="plate numbers from 0 to 3"):
        PackedStore.open(folder)


def test_a_frame_whose_camera_is_not_there(folder: Path) -> None:
    edit_index(folder, "camera", [0, 1, 2, 3, 0, 4])
    with pytest.raises(BrokenIndex, match="camera numbers from 0 to 3"):
        PackedStore.open(folder)


@pytest.mark.parametrize("version", [2, "1", None])
def test_another_version(folder: Path, version: object) -> None:
    edit_manifest(folder, version=version)
    with pytest.raises(WrongVersion, match="expected: version 1"):
        PackedStore.open(folder)


def empty(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def not_json(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def a_list(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")


def another_format(folder: Path) -> None:
    edit_manifest(folder, format="other")


def an_unknown_key(folder: Path) -> None:
    edit_manifest(folder, colour="red")


def no_sizes(folder: Path) -> None:
    edit_manifest(folder, bytes={})


def a_negative_count(folder: Path) -> None:
    edit_manifest(folder, layout={"count": -6, "height": SIZE, "width": SIZE, "plates": 4})


@pytest.mark.parametrize(
    "spoil", [empty, gone, not_json, a_list, another_format, an_unknown_key, no_sizes, a_negative_count]
)
def test_a_folder_that_is_no_store(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder)
    with pytest.raises(NotAStore):
        PackedStore.open(folder)


@pytest.mark.parametrize("name", ["index.parquet", "cameras.json"])
def test_a_damaged_index(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x" * (folder / name).stat().st_size)
    with pytest.raises(BrokenIndex, match=name):
        PackedStore.open(folder)


def test_an_index_of_another_length(folder: Path) -> None:
    table = pq.read_table(folder / "index.parquet").slice(0, 5)
    pq.write_table(table, folder / "index.parquet")
    edit_index(folder, "plate", [0] * 5)
    with pytest.raises(BrokenIndex, match=r"5 rows\s+expected: 6 rows"):
        PackedStore.open(folder)


def test_an_existing_folder_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(OutputExists):
        write_noise_store(folder, count=2, size=SIZE)
    assert len(PackedStore.open(folder)) == 6


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DiskFull, match="no space left"):
        write_noise_store(tmp_path / "set", count=2, size=SIZE)
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_in_a_selection(original: Path) -> None:
    store = PackedStore.open(original)
    for wanted in ({"subjects": ["S2"]}, {"actions": ["Flying"]}, {"cameras": ["camera 9"]}):
        with pytest.raises(InputError, match="holds no frame"):
            store.select(**wanted)  # type: ignore[arg-type]


def a_writer(out: Path, **changes: object) -> PackedStoreWriter:
    arguments = {
        "cameras": [CAMERA], "plates": np.zeros((1, SIZE, SIZE, 3), np.uint8), "fps": 10, "seed": None,
        "source": "test", "count": 2,
    }  # fmt: skip
    return PackedStoreWriter(out, **(arguments | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 0},
        {"cameras": []},
        {"fps": 0},
        {"meta": {"a": object()}},
        {"plates": np.zeros((1, SIZE, SIZE, 3), np.float32)},
        {"plates": np.zeros((0, SIZE, SIZE, 3), np.uint8)},
    ],
)
def test_arguments_that_make_no_store(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        a_writer(tmp_path / "set", **changes)
    assert list(tmp_path.iterdir()) == []


def test_frames_that_were_never_written(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="1 of 2 frames not written, first 1"),
        a_writer(tmp_path / "set") as writer,
    ):
        writer.maps.write_index(0, 1, ROW)
    assert list(tmp_path.iterdir()) == []


def test_a_plate_number_is_checked_before_the_store_appears(tmp_path: Path) -> None:
    with pytest.raises(MissingPlate), a_writer(tmp_path / "set") as writer:
        writer.maps.write_index(0, 2, ROW | {"plate": 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("start", "n"), [(-1, 1), (2, 1), (0, 3)])
def test_a_range_outside_the_store(tmp_path: Path, start: int, n: int) -> None:
    with a_writer(tmp_path / "set") as writer:
        with pytest.raises(InputError, match="a range within 0 to 1"):
            writer.maps.write_index(start, n, ROW)
        writer.maps.write_index(0, 2, ROW)


@pytest.mark.parametrize("name", ["frames", "silhouettes", "poses"])
def test_pixels_of_a_wrong_type(tmp_path: Path, name: str) -> None:
    arrays: dict[str, np.ndarray] = {
        "frames": np.zeros((2, SIZE, SIZE, 3), np.uint8),
        "silhouettes": np.zeros((2, SIZE, SIZE), bool),
        "poses": np.zeros((2, 17, 3), np.float32),
    }
    with a_writer(tmp_path / "set") as writer:
        with pytest.raises(InputError, match=f"{name}: float64"):
            writer.write(0, **(arrays | {name: arrays[name].astype(np.float64)}), columns=ROW)
        writer.write(0, **arrays, columns=ROW)


def test_columns_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="index columns"):
        clip_rows(2, {"subject": "S1"})
    with pytest.raises(InputError, match=r"'time' of shape \(3,\)"):
        clip_rows(2, ROW | {"time": np.zeros(3)})
    with pytest.raises(InputError, match="more than 48 characters"):
        clip_rows(2, ROW | {"action": "a" * 49})


@pytest.mark.parametrize("rotation", [np.eye(2), np.full((3, 3), np.nan)])
def test_a_camera_that_is_none(rotation: np.ndarray) -> None:
    with pytest.raises(InputError, match="camera 'c': rotation"):
        Camera("c", np.eye(3), rotation, np.zeros(3))


def test_an_index_whose_column_is_of_another_kind(folder: Path) -> None:
    table = pq.read_table(folder / "index.parquet")
    at = table.column_names.index("subject")
    pq.write_table(table.set_column(at, "subject", [list(range(6))]), folder / "index.parquet")
    edit_index(folder, "plate", [0] * 6)
    with pytest.raises(BrokenIndex, match="int64 entries"):
        PackedStore.open(folder)
