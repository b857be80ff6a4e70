"""What is being written is whole or absent, and what a dead process left is removed by the next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dpa.models.atomic import held, partial_folder, replacing, sweep, write_text

LEAVING = """
import os, signal, sys
from pathlib import Path
from dpa.models import atomic
with {what}(Path(sys.argv[1])) as partial:
    (partial / "x" if partial.is_dir() else partial).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while(what: str, path: Path) -> None:
    """A process that is killed inside the block."""
    ran = subprocess.run(
        [sys.executable, "-c", LEAVING.format(what=f"atomic.{what}"), str(path)], check=False
    )
    assert ran.returncode == -signal.SIGKILL


@pytest.mark.parametrize("what", ["replacing", "partial_folder"])
def test_what_a_killed_process_left_is_gone_after_the_next_write(tmp_path: Path, what: str) -> None:
    killed_while(what, tmp_path / "table.csv")
    assert len(list(tmp_path.glob(".partial-*-table.csv"))) == 1
    write_text(tmp_path / "other.txt", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as file, partial_folder(tmp_path / "b") as folder:
        sweep(tmp_path)
        write_text(tmp_path / "c", "x")
        file.write_text("whole")
        assert folder.is_dir()
        folder.rename(tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    assert (tmp_path / "a").read_text() == "whole"


def test_names_that_only_look_alike_and_links_are_left_alone(tmp_path: Path) -> None:
    names = [".partial-notes.txt", "essay.partial-1", ".partial-0123456-x", "partial-01234567-x"]
    for name in names:
        (tmp_path / name).write_text("mine")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("x")
    (tmp_path / ".partial-01234567-link").symlink_to(tmp_path / "target")
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names, "target", ".partial-01234567-link"}
    assert (tmp_path / "target" / "mine").exists()


def test_a_held_file_is_made_and_is_the_one_that_is_held(tmp_path: Path) -> None:
    path = tmp_path / ".partial-01234567-x"
    with held(path):
        sweep(tmp_path)
        assert path.exists()
    sweep(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127 + "x", "n" * 250 + ".json"])
def test_names_as_long_as_names_may_be(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a") as file:
        file.write_text("half")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), partial_folder(tmp_path / "b") as folder:
        (folder / "x").write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
