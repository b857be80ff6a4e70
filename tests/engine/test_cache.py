"""The cache is never what stops a command."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from dpa.engine import cache
from dpa.engine.evaluation_set import cached_set
from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.errors import RunExists
from dpa.models.data.store_format import FRAMES
from dpa.models.data.synthetic.config import SynthConfig

FEW = SynthConfig(subjects=("S1",), actions=("Walking",), clips=1, frames=1, size=32, workers=1)


@pytest.mark.parametrize("place", ["file/cache", "/proc/none/cache"])
def test_a_cache_that_cannot_be_written_is_replaced_and_named(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("DPA_CACHE", str(tmp_path / place))
    with caplog.at_level(logging.WARNING):
        one, again = cache.cache_folder(), cache.cache_folder()
    assert one == again and one.is_dir() and not one.is_relative_to(tmp_path)
    assert len(caplog.records) == 1 and "DPA_CACHE" in caplog.text


def test_without_a_home_there_is_a_cache(tmp_path: Path) -> None:
    script = "from dpa.engine.cache import cache_folder; print(cache_folder().is_dir())"
    home = {"PATH": "", "HOME": "/proc/none"}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=home, capture_output=True, text=True, check=False
    )
    assert ran.stdout == "True\n" and "DPA_CACHE" in ran.stderr, ran.stderr


def test_a_damaged_set_is_made_again_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DPA_CACHE", str(tmp_path))
    whole = cached_set("x", FEW)
    expected = (whole.path / FRAMES).read_bytes()
    (whole.path / FRAMES).write_bytes(expected[:7])
    with caplog.at_level(logging.WARNING):
        again = cached_set("x", FEW)
    assert (again.path / FRAMES).read_bytes() == expected and len(caplog.records) == 1


TWO = """
import sys
from dpa.engine.evaluation_set import cached_set
from dpa.models.data.synthetic.config import SynthConfig
print(len(cached_set("x", SynthConfig.model_validate_json(sys.argv[1]))))
"""


def test_two_first_commands_at_once_make_one_set(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO, FEW.model_dump_json()]
    both = [
        subprocess.Popen(command, env={"DPA_CACHE": str(tmp_path)}, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [one.communicate()[0] for one in both] == ["4\n", "4\n"]
    assert [one.returncode for one in both] == [0, 0]


def test_a_run_directory_has_one_creator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finds the folder empty, as the first has only just made it."""
    RunDirectory.create(tmp_path / "run", "x", {})
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(()))
    with pytest.raises(RunExists):
        RunDirectory.create(tmp_path / "run", "x", {})
