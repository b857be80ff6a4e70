"""What a stopped run needs of its directory: parts read in part or dropped, one writer at a time."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.errors import RunBusy


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory.create(tmp_path / "run", "attack", {})
    for number in (0, 1):
        run.shard("samples", number, {"n": np.arange(3) + 3 * number, "long": np.ones((3, 5))})
    return run


def test_some_columns_are_read_alone(run: RunDirectory) -> None:
    assert list(run.read_shards("samples", ["n"])) == ["n"]
    assert run.read_shards("samples", ["n"])["n"].tolist() == [0, 1, 2, 3, 4, 5]
    assert list(run.read_shard("samples", 1, ["long"])) == ["long"]


def test_a_part_can_be_dropped(run: RunDirectory) -> None:
    run.discard_shard("samples", 1)
    run.discard_shard("samples", 7)
    assert run.shard_numbers("samples") == [0]


def test_what_a_killed_process_left_half_written_is_removed(run: RunDirectory) -> None:
    script = (
        "import os, sys; from pathlib import Path; from dpa.models.atomic import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write_bytes(b'half'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, run.path / "samples" / "00002.parquet"], check=False)
    assert len(os.listdir(run.path / "samples")) == 3
    run.remove_partial_files()
    assert sorted(os.listdir(run.path / "samples")) == ["00000.parquet", "00001.parquet"]
    assert not run.is_complete


def test_one_process_at_a_time(run: RunDirectory) -> None:
    other = RunDirectory.open(run.path, incomplete=True)
    with run.holding(), pytest.raises(RunBusy, match="another process"), other.holding():
        pass
    with other.holding():
        pass


def test_a_hold_changes_nothing_and_a_reopened_run_is_incomplete(run: RunDirectory) -> None:
    run.complete()
    with run.holding():
        assert run.is_complete
    assert run.config() == {}
    run.reopen()
    assert not run.is_complete
    with pytest.raises(ValueError) as stopped, run:
        raise ValueError
    assert "incomplete" in stopped.value.__notes__[0]
    run.complete()
    with pytest.raises(ValueError) as stopped, run:
        raise ValueError
    assert stopped.value.__notes__ == [f"kept: {run.path}"]
