"""`zoo list`, `zoo show`, `runs list`, `cache show`, `cache clear`, `analyze --list`, and `python -m dpa`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.engine.runs.directory import RunDirectory
from dpa.models.training.checkpoint import load_network


def told(*arguments: str, code: int = 0) -> str:
    ran = CliRunner().invoke(app, list(arguments))
    assert ran.exit_code == code, ran.output
    return ran.stdout if code == 0 else ran.stderr


def read(*arguments: str) -> Any:
    return json.loads(told(*arguments, "--json"))


def test_every_listed_network_can_be_loaded_and_shown() -> None:
    names = [one["name"] for one in read("zoo", "list")["networks"]]
    assert "zoo:nsd" in names and load_network(names[0])
    for name in names:
        assert told("zoo", "show", name).startswith(f"# {name}\n")
    assert read("zoo", "show", "nsd")["framework"] == "nsd"
    assert all(name in told("zoo", "list") for name in names)


def test_a_recipe_without_weights_is_listed_as_such(tmp_path: Path) -> None:
    listed = read("zoo", "list")
    assert not {f"zoo:{name}" for name in listed["recipes"]} & {one["name"] for one in listed["networks"]}
    assert "no-such" in told("zoo", "show", "no-such", code=2)


def test_runs_are_listed_with_their_state_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/dpa-engine", "attack", "--samples", "3"])
    with RunDirectory.create(tmp_path / "b" / "done", "attack", {}):
        pass
    RunDirectory.create(tmp_path / "a", "attack", {})
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "command.txt").write_text("not a run\n")
    command = "dpa-engine attack --samples 3"
    assert read("runs", "list", str(tmp_path)) == [
        {"run": str(tmp_path / "a"), "complete": False, "command": command},
        {"run": str(tmp_path / "b" / "done"), "complete": True, "command": command},
    ]
    lines = told("runs", "list", str(tmp_path)).splitlines()
    assert "incomplete" in lines[1] and "incomplete" not in lines[2] and lines[2].endswith(command)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three of our entries, and three that are not."""
    monkeypatch.setenv("DPA_CACHE", str(tmp_path / "cache"))
    for name in ("evaluation-1", "pose-engines/key", "plans", "photographs"):
        folder = tmp_path / "cache" / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(1000))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("kept")
    (tmp_path / "cache" / "natural-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "cache" / "plans.txt").write_text("a note")
    return tmp_path / "cache"


def test_the_cache_is_shown_and_cleared_but_for_what_is_not_ours(cache: Path) -> None:
    assert {one["entry"]: one["bytes"] for one in read("cache", "show")["entries"]} == {
        "evaluation-1": 1000,
        "pose-engines": 1000,
        "plans": 1000,
    }
    assert "cache show" in told("cache", "clear", "photographs", code=2) and (cache / "plans").is_dir()
    assert read("cache", "clear", "plans") == {"removed": ["plans"], "bytes": 1000}
    assert "2 entries" in told("cache", "clear")
    assert sorted(path.name for path in cache.iterdir()) == ["natural-link", "photographs", "plans.txt"]
    assert (cache.parent / "elsewhere" / "kept").is_file()


def test_an_empty_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPA_CACHE", str(tmp_path / "none"))
    assert read("cache", "show")["entries"] == [] and read("cache", "clear")["bytes"] == 0


def test_analyses_are_listed_by_the_names_that_the_command_takes() -> None:
    listed = read("analyze", "--list")
    assert {"swap", "dc"} <= listed.keys() and listed["dc"] in told("analyze", "--list")


def test_the_package_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "dpa", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("dpa-engine ")
