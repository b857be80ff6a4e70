"""What goes into a packed store comes out of it, whoever wrote it and in whatever order."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dpa.bench.data import write_noise_store
from dpa.models.data.contract import COLUMNS, Camera
from dpa.models.data.store import PackedStore, PackedStoreWriter

COUNT, HEIGHT, WIDTH = 11, 7, 5  # H·W is no multiple of 8, so that silhouettes need padding bits
RNG = np.random.default_rng(3)
FRAMES = RNG.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3), dtype=np.uint8)
SILHOUETTES = RNG.random((COUNT, HEIGHT, WIDTH)) < 0.5
POSES = RNG.normal(0, 300, (COUNT, 17, 3)).astype(np.float32)
PLATES = RNG.integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
CAMERAS = [
    Camera(name, RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3)), RNG.normal(size=3)) for name in ("a", "b")
]
INDEX = {
    "subject": np.array(["S1", "Ünal", "S11"])[np.arange(COUNT) % 3],
    "action": np.array(["Walking", "Sitting"])[np.arange(COUNT) % 2],
    "outfit": np.array(["S9"] * COUNT),
    "sequence": np.arange(COUNT) // 2 + 2**40,
    "camera": np.arange(COUNT) % 2,
    "plate": np.arange(COUNT) % 3,
    "frame": np.arange(COUNT) * 5,
    "time": np.arange(COUNT) / 3,
    "box": RNG.random((COUNT, 4)).astype(np.float32),
}


def writer(out: Path) -> PackedStoreWriter:
    return PackedStoreWriter(
        out,
        cameras=CAMERAS,
        plates=PLATES,
        fps=12.5,
        seed=4,
        source="test",
        count=COUNT,
        meta={"zoom": [1, 2]},
    )


def write(target: PackedStoreWriter, start: int, stop: int) -> None:
    here = slice(start, stop)
    columns = {name: column[here] for name, column in INDEX.items()}
    target.write(start, FRAMES[here], SILHOUETTES[here], POSES[here], columns)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    out = tmp_path_factory.mktemp("store") / "deep" / "set"
    with writer(out) as target:
        write(target, 6, COUNT)
        write(target, 0, 6)
    return PackedStore.open(out)


def test_everything_comes_back(store: PackedStore) -> None:
    np.testing.assert_array_equal(store.frames, FRAMES)
    np.testing.assert_array_equal(store.plates, PLATES)
    np.testing.assert_array_equal(store.poses, POSES)
    np.testing.assert_array_equal(store.silhouettes(np.arange(COUNT)), SILHOUETTES)
    for name, column in INDEX.items():
        found = getattr(store, name)
        np.testing.assert_array_equal(found, column)
        assert COLUMNS[name].kind == "U" or found.dtype == COLUMNS[name].base
    assert (store.size, store.fps, store.seed, store.source) == ((HEIGHT, WIDTH), 12.5, 4, "test")
    assert store.meta == {"zoom": [1, 2]}
    for ours, given in zip(store.cameras, CAMERAS, strict=True):
        assert ours.to_json() == given.to_json()


def test_batches_are_the_frames_divided_by_255(store: PackedStore) -> None:
    idx = np.array([9, 2, 2, -1])
    expected = FRAMES[idx].astype(np.float64).transpose(0, 3, 1, 2) / 255
    batch = store.frames_at(idx)
    assert batch.dtype == torch.float32 and batch.is_contiguous()
    np.testing.assert_allclose(batch.numpy(), expected, atol=1e-7)
    buffer = torch.empty(batch.shape).to(memory_format=torch.channels_last)
    assert store.frames_at(idx, out=buffer) is buffer
    assert torch.equal(buffer, batch)
    np.testing.assert_allclose(store.plates_tensor().numpy(), PLATES.transpose(0, 3, 1, 2) / 255, atol=1e-7)


def test_a_buffer_of_another_shape_is_refused(store: PackedStore) -> None:
    with pytest.raises(ValueError, match="shape"):
        store.frames_at([3], out=torch.empty(4, 3, HEIGHT, WIDTH))


def test_the_store_cannot_be_changed_through_a_batch(store: PackedStore) -> None:
    store.frames_u8_at(slice(0, 2))[:] = 0
    np.testing.assert_array_equal(store.frames, FRAMES)
    with pytest.raises(ValueError, match="read-only"):
        store.frames[0] = 0


def test_selection_is_that_of_a_loop(store: PackedStore) -> None:
    expected = [
        i
        for i in range(COUNT)
        if INDEX["subject"][i] in ("S1", "Ünal")
        and INDEX["action"][i] == "Sitting"
        and INDEX["camera"][i] == 1
    ]
    assert store.select(["Ünal", "S1"], ["Sitting"], ["b"]).tolist() == expected != []
    assert store.select().tolist() == list(range(COUNT))
    assert store.select(subjects=[]).tolist() == []


def test_info(store: PackedStore) -> None:
    info = store.info()
    assert list(info) == ["frames", "subjects", "actions", "cameras", "size", "fps", "seed", "bytes"]
    assert info["subjects"] == ["S1", "S11", "Ünal"] and info["cameras"] == ["a", "b"]
    data = [f for f in store.path.iterdir() if f.name != "manifest.json"]
    assert info["bytes"] == sum(f.stat().st_size for f in data)


def test_other_processes_write_their_ranges(tmp_path: Path) -> None:
    """Three processes and one make the same bytes."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    np.savez(tmp_path / "in.npz", frames=FRAMES, silhouettes=SILHOUETTES, poses=POSES, **INDEX)
    with writer(alone) as target:
        write(target, 0, COUNT)
    script = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from dpa.models.data.store_format import StoreMaps\n"
        "d = dict(np.load(sys.argv[1])); a, b = int(sys.argv[3]), int(sys.argv[4])\n"
        "d = {k: v[a:b] for k, v in d.items()}\n"
        "pixels = [d.pop(k) for k in ('frames', 'silhouettes', 'poses')]\n"
        "StoreMaps(Path(sys.argv[2])).write(a, *pixels, d)\n"
    )
    with writer(together) as target:
        running = [
            subprocess.Popen(
                [sys.executable, "-c", script, tmp_path / "in.npz", target.folder, str(a), str(b)]
            )
            for a, b in ((5, 8), (0, 5), (8, COUNT))
        ]
        assert [process.wait(60) for process in running] == [0, 0, 0]
    assert {f.name for f in together.iterdir()} == {f.name for f in alone.iterdir()}
    for file in alone.iterdir():
        assert file.read_bytes() == (together / file.name).read_bytes(), file.name


def test_a_killed_writer_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, numpy as np; from pathlib import Path\n"
        "import dpa.models.data.store_writer as writer\n"
        "writer.sync_file = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import dpa.bench.data as n; n.write_noise_store(Path(sys.argv[1]), count=3, size=4)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, tmp_path / "set"], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not (tmp_path / "set").exists()
    assert [re.sub(r"\.partial-[0-9a-f]{8}-", "", entry) for entry in os.listdir(tmp_path)] == ["set"]
    write_noise_store(tmp_path / "set", count=3, size=4)
    assert len(PackedStore.open(tmp_path / "set")) == 3


def test_a_failing_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"), writer(tmp_path / "set"):
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_holes_read_as_zeros(tmp_path: Path) -> None:
    write_noise_store(tmp_path / "set", count=600, size=8, filled=20)
    store = PackedStore.open(tmp_path / "set")
    assert store.frames[:20].any(axis=(1, 2, 3)).all() and not store.frames[20:].any()
    assert store.camera.tolist() == [i % 4 for i in range(600)]


def test_a_camera_projects_as_written_out_by_hand() -> None:
    camera = Camera(
        "c", np.array([[100.0, 0, 80], [0, 120, 60], [0, 0, 1]]), np.eye(3)[[1, 2, 0]], np.array([1.0, 2, 3])
    )
    x, y, z = 40.0, 5.0, -7.0  # world; the rotation makes it (y, z, x)
    depth = x + 3
    expected = [100 * (y + 1) / depth + 80, 120 * (z + 2) / depth + 60]
    np.testing.assert_allclose(camera.project([[x, y, z]])[0], expected, rtol=1e-12)
    np.testing.assert_allclose(camera.to_camera([x, y, z]), [y + 1, z + 2, depth], rtol=1e-12)
