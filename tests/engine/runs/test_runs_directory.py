"""Run directories: complete or recognisably not, every file whole or absent, one test for each error."""

import errno
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.errors import BadShard, IncompleteRun, NotARun, RunExists
from dpa.models import atomic
from dpa.models.atomic import DiskFull

CONFIG = {"steps": 3, "weights": {"pixel": 0.5}, "name": "Ünal", "none": None}


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_says_what_it_was_told_and_what_it_ran_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/dpa-engine", "attack", "--out", "a b"])
    with RunDirectory.create(tmp_path / "deep" / "run", "attack", CONFIG) as run:
        assert not run.is_complete
        run.write_json("results.json", {"success_rate": 0.5})
    opened = RunDirectory.open(run.path)
    assert opened.is_complete
    assert opened.config() == CONFIG
    assert opened.read_json("results.json") == {"success_rate": 0.5}
    assert (run.path / "command.txt").read_text() == "dpa-engine attack --out 'a b'\n"
    environment = json.loads((run.path / "env.json").read_text())
    assert environment["versions"]["python"] == platform.python_version()
    assert environment["versions"]["numpy"] == np.__version__
    assert "cpu" in environment["devices"]
    assert platform.node() not in (run.path / "env.json").read_text()


def test_runs_are_named_by_command_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [RunDirectory.create(None, "attack", {}).path for _ in range(3)]
    assert len(set(paths)) == 3
    for path in paths:
        assert path.parent == Path("runs") and path.name.startswith("attack-20")


def test_a_stopped_run_keeps_what_it_finished(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt) as stopped,
        RunDirectory.create(tmp_path / "run", "attack", {}) as run,
    ):
        run.shard("samples", 0, {"n": np.arange(3)})
        raise KeyboardInterrupt
    assert stopped.value.__notes__ == [f"kept: {run.path} (the run is marked as incomplete)"]
    with pytest.raises(IncompleteRun, match=r"command\.txt"):
        RunDirectory.open(run.path)
    kept = RunDirectory.open(run.path, incomplete=True)
    assert kept.shard_numbers("samples") == [0]
    kept.complete()
    assert RunDirectory.open(run.path).is_complete


def test_a_killed_run_is_incomplete(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from dpa.engine.runs.directory import RunDirectory\n"
        "with RunDirectory.create(Path(sys.argv[1]), 'attack', {}) as run:\n"
        "    run.write_json('results.json', {})\n"
        "    with run.writing('figures/grid.png') as file:\n"
        "        file.write_bytes(b'half'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "run"], check=False)
    with pytest.raises(IncompleteRun):
        RunDirectory.open(tmp_path / "run")
    assert (tmp_path / "run" / "results.json").read_text() == "{}\n"
    assert not (tmp_path / "run" / "figures" / "grid.png").exists()


def test_a_full_disk_loses_only_the_file_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory.create(tmp_path / "run", "attack", {})
    run.write_text("report.md", "first")
    run.shard("samples", 0, {"n": np.arange(3)})
    before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
    monkeypatch.setattr(atomic.os, "fsync", no_space)
    for attempt in (
        lambda: run.write_text("report.md", "second"),
        lambda: run.write_json("results.json", {}),
        lambda: run.shard("samples", 1, {"n": np.arange(3)}),
    ):
        with pytest.raises(DiskFull, match="every file completed before it"):
            attempt()
    monkeypatch.undo()
    assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before
    run.write_text("report.md", "second")
    assert (run.path / "report.md").read_text() == "second"


def test_a_full_quota_and_other_errors_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DiskFull), atomic.replacing(tmp_path / "a"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(PermissionError), atomic.replacing(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_failing_block_leaves_the_earlier_file(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "attack", {})
    run.write_text("a.txt", "old")
    with pytest.raises(RuntimeError), run.writing("a.txt") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt" and temporary.parent == run.path
        raise RuntimeError
    assert (run.path / "a.txt").read_text() == "old"
    assert not [name for name in os.listdir(run.path) if "partial" in name]


def test_results_that_json_has_no_word_for(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "attack", {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.write_json("results.json", {"mpjpe": float("nan")})
    assert not (run.path / "results.json").exists()


def test_a_new_run_does_not_touch_an_old_one(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "run", "attack", {})
    with pytest.raises(RunExists):
        RunDirectory.create(tmp_path / "run", "attack", {})


@pytest.mark.parametrize("name", ["config.resolved.yaml", "env.json", "command.txt"])
def test_a_folder_that_is_no_run(tmp_path: Path, name: str) -> None:
    with RunDirectory.create(tmp_path / "run", "attack", {}) as run:
        (run.path / name).unlink()
    with pytest.raises(NotARun, match=f"no {name}"):
        RunDirectory.open(run.path)
    with pytest.raises(NotARun, match="no such folder"):
        RunDirectory.open(tmp_path / "elsewhere")


def test_a_run_whose_files_are_damaged(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "run", "attack", CONFIG) as run:
        run.write_text("results.json", "{")
    with pytest.raises(NotARun, match=r"results\.json cannot be read"):
        run.read_json("results.json")
    for text in ("a: [", "- 1"):
        run.write_text("config.resolved.yaml", text)
        with pytest.raises(NotARun, match=r"config\.resolved\.yaml"):
            run.config()


def test_shards_are_put_together_in_order(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "attack", {})
    rng = np.random.default_rng(0)
    subjects, images = np.array(["S11", "S1", "S5"]), rng.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    for number, rows in ((1, slice(2, 3)), (0, slice(0, 2))):
        run.shard("samples.parquet", number, {"subject": subjects[rows], "image": images[rows]})
    found = run.read_shards("samples.parquet")
    np.testing.assert_array_equal(found["subject"], subjects)
    np.testing.assert_array_equal(found["image"], images)
    np.testing.assert_array_equal(run.read_shard("samples.parquet", 1)["image"], images[2:])


def test_shards_that_do_not_fit_together(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "attack", {})
    with pytest.raises(BadShard, match="parts none"):
        run.read_shards("samples")
    run.shard("samples", 1, {"n": np.arange(3)})
    with pytest.raises(BadShard, match="parts 1"):
        run.read_shards("samples")
    with pytest.raises(BadShard, match=r"00000\.parquet"):
        run.read_shard("samples", 0)
    run.shard("samples", 0, {"m": np.arange(3)})
    with pytest.raises(BadShard, match="unlike"):
        run.read_shards("samples")
    run.write_text("samples/00000.parquet", "no parquet")
    with pytest.raises(BadShard, match=r"00000\.parquet"):
        run.read_shards("samples")
