"""`dpa-engine data import`: one JSON document, the quarantine list, refusals, and resuming after SIGKILL."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.models.data.importers import shard
from dpa.models.data.importers.catalogue import ImportRunning, OtherImport
from dpa.models.data.importers.h36m_fetch import read_h36m_fetch
from dpa.models.data.importers.run import import_catalogue
from dpa.models.data.importers.workplace import folder_for
from dpa.models.data.store import PackedStore
from dpa.models.data.store_format import OutputExists

FILES = (
    "manifest.json",
    "frames.u8",
    "silhouettes.bits",
    "plates.u8",
    "poses.f32",
    "index.parquet",
    "cameras.json",
)
CLIPS, FRAMES, SIDE = 6, 4, 32


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, a moving square and one camera, in h36m-fetch's layout."""
    root: Path = tmp_path_factory.mktemp("command") / "src"
    rng = np.random.default_rng(0)
    for clip in range(CLIPS):
        folder = root / "S1" / f"Eating-{clip + 1}"
        pictures = folder / "imageSequence" / "55011271"
        pictures.mkdir(parents=True)
        for frame in range(FRAMES):
            pixels = rng.integers(0, 60, (SIDE, SIDE, 3)).astype(np.uint8)
            pixels[4:20, 6 * frame : 6 * frame + 8] = 250
            Image.fromarray(pixels).save(pictures / f"img_{frame * 5 + 1:06d}.jpg")
        joints = rng.normal(size=(FRAMES, 32, 3)) * 300 + (0, 0, 4000)
        with h5py.File(folder / "annot.h5", "w") as file:
            file["pose/3d"] = joints
            file["pose/2d"] = joints[..., :2] / joints[..., 2:] * 40 + 16
            file["frame"] = np.arange(FRAMES) * 5 + 1
            file["camera"] = np.full(FRAMES, 55011271)
            file["intrinsics/55011271"] = np.array([40.0, 16.0, 40.0, 16.0])
    return root


def command(tree: Path, out: Path, *options: str) -> list[str]:
    return [
        "data",
        "import",
        "h36m-fetch",
        str(tree),
        "--out",
        str(out),
        "--workers",
        "1",
        "--bad-clips",
        "keep",
        *options,
    ]


def assert_same(one: Path, other: Path) -> None:
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_json_is_all_that_is_printed(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    result = CliRunner().invoke(app, command(tree, out, "--json", "--every", "2", "--size", "16"))
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    store = PackedStore.open(out)
    assert facts["frames"] == len(store) == CLIPS * 2 and store.size == (16, 16)
    assert set(store.frame) == {0, 10}
    assert (facts["clips"], facts["views"], facts["quarantined"], facts["list"]) == (CLIPS, CLIPS, 0, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_bad_files_are_listed_beside_the_output(tree: Path, tmp_path: Path) -> None:
    source = tmp_path / "src"
    for path in tree.rglob("*"):
        if path.is_file():
            (source / path.relative_to(tree)).parent.mkdir(parents=True, exist_ok=True)
            (source / path.relative_to(tree)).write_bytes(path.read_bytes())
    bad = source / "S1" / "Eating-2" / "imageSequence" / "55011271" / "img_000006.jpg"
    bad.write_bytes(b"no picture")
    result = CliRunner().invoke(app, command(source, tmp_path / "store"))
    assert result.exit_code == 0, result.output
    assert f"{CLIPS * FRAMES - 1} frames" in result.stdout and "1 pictures quarantined" in result.stdout
    assert f"quarantined: {bad}" in result.stderr
    (line,) = (tmp_path / "store.quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["name"] == str(bad) and "UnidentifiedImageError" in json.loads(line)["reason"]
    assert PackedStore.open(tmp_path / "store").meta["quarantined"] == 1


def test_same_bytes_for_any_number_of_workers(tree: Path, tmp_path: Path) -> None:
    catalogue = read_h36m_fetch(tree)
    import_catalogue(catalogue, tree, tmp_path / "one", layout="test", workers=1)
    import_catalogue(catalogue, tree, tmp_path / "two", layout="test", workers=2)
    assert_same(tmp_path / "one", tmp_path / "two")


def test_an_import_that_failed_goes_on_where_it_stopped(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, out = read_h36m_fetch(tree), tmp_path / "store"
    made = []

    def breaks(*arguments: object) -> object:
        if len(made) == 3:
            raise RuntimeError("as if the power went")
        made.append(arguments)
        return original(*arguments)  # type: ignore[arg-type]

    original = shard.write_json
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(shard, "write_json", breaks)
        import_catalogue(catalogue, tree, out, layout="test")
    assert not out.exists()
    with pytest.raises(OtherImport):
        import_catalogue(catalogue, tree, out, layout="test", longer_side=16)
    seen: list[tuple[int, int]] = []
    report = import_catalogue(
        catalogue, tree, out, layout="test", progress=lambda *counts: seen.append(counts)
    )
    assert report.resumed == 3 and seen[0] == (3 * FRAMES, CLIPS * FRAMES)
    assert seen[-1] == (CLIPS * FRAMES, CLIPS * FRAMES)
    import_catalogue(catalogue, tree, tmp_path / "at once", layout="test")
    assert_same(out, tmp_path / "at once")
    assert not folder_for(out).exists()


KILLED = """
import sys, time
from pathlib import Path
from dpa.models.data.importers import shard, workplace
from dpa.models.data.importers.h36m_fetch import read_h36m_fetch
from dpa.models.data.importers.run import import_catalogue

def slow(original):
    def wait(*arguments):
        print("here", flush=True)
        time.sleep(0.2)
        return original(*arguments)
    return wait

if __name__ == "__main__":
    source, out, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    if where == "shards":
        shard.write_json = slow(shard.write_json)
    else:
        workplace._copy = slow(workplace._copy)
    import_catalogue(read_h36m_fetch(source), source, out, layout="test")
"""


@pytest.mark.parametrize("where", ["shards", "assembly"])
def test_an_import_that_was_killed_goes_on(tree: Path, tmp_path: Path, where: str) -> None:
    out = tmp_path / "store"
    running = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tree), str(out), where], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    for _ in range(3):
        assert running.stdout.readline() == "here\n"
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    assert not out.exists() and folder_for(out).is_dir()
    report = import_catalogue(read_h36m_fetch(tree), tree, out, layout="test")
    assert report.resumed == (2 if where == "shards" else CLIPS)
    import_catalogue(read_h36m_fetch(tree), tree, tmp_path / "at once", layout="test")
    assert_same(out, tmp_path / "at once")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["at once", "store"]


def test_processes_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """Left alone, they would wait for ever and hold the pictures' memory."""
    code = (
        "import os, time, multiprocessing as m\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from dpa.models.workers import end_with_parent\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(1, m.get_context('spawn'), end_with_parent) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(60)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not Path(f"/proc/{child}/stat").exists() or ") Z " in Path(f"/proc/{child}/stat").read_text():
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the pool's process went on without its parent")


def test_two_imports_to_one_place_are_refused(tree: Path, tmp_path: Path) -> None:
    catalogue = read_h36m_fetch(tree)

    def meanwhile(done: int, total: int) -> None:
        if done == 0:
            with pytest.raises(ImportRunning):
                import_catalogue(catalogue, tree, tmp_path / "store", layout="test")

    import_catalogue(catalogue, tree, tmp_path / "store", layout="test", progress=meanwhile)
    with pytest.raises(OutputExists):
        import_catalogue(catalogue, tree, tmp_path / "store", layout="test")


def test_nothing_left_is_told(tree: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, command(tree, tmp_path / "store", "--subjects", "S5"))
    assert result.exit_code == 2 and "--subjects" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reading_process_needs_neither_torch_nor_pyarrow() -> None:
    code = (
        "import sys, dpa.models.data.importers.shard;"
        "print([m for m in ('torch', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
