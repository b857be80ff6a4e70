"""Commands write where they are told and nowhere else, and replace only what they made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.errors import RunExists
from dpa.engine.zoo import build as zoo_build
from dpa.models.training import checkpoint

Call = Callable[..., Any]


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, and what its file holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Calls dpa-engine in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("name", ["best.jsonl", "best.csv", "best.parquet"])
def test_predictions_take_the_place_of_predictions_alone(run: Call, tmp_path: Path, name: str) -> None:
    Image.new("RGB", (32, 32), "grey").save(tmp_path / "a.png")
    for _ in range(2):
        done = run("predict", "a.png", "--network", "zoo:nsd", "--size", 32, "--out", name)
        assert done.exit_code == 0, done.output
    (tmp_path / name).write_bytes(b"a list of mine\n")
    before = tree(tmp_path)
    done = run("predict", "a.png", "--network", "zoo:nsd", "--size", 32, "--out", name)
    assert done.exit_code == 2 and "did not make" in done.stderr
    assert tree(tmp_path) == before


def test_the_list_of_unreadable_pictures_removes_no_file_of_another_s(run: Call, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "grey").save(tmp_path / "a.png")
    (tmp_path / "p.csv.unreadable.jsonl").write_text("mine\n")
    done = run("predict", "a.png", "--network", "zoo:nsd", "--size", 32, "--out", "p.csv")
    assert done.exit_code == 2 and (tmp_path / "p.csv.unreadable.jsonl").read_text() == "mine\n"
    assert not (tmp_path / "p.csv").exists()


def test_reproduce_writes_below_its_folder_alone(run: Call, tmp_path: Path) -> None:
    done = run("reproduce", "--frameworks", "../../x=zoo:nsd", "--out", tmp_path / "a" / "b")
    assert done.exit_code == 2 and "../../x" in done.stderr and tree(tmp_path) == {}


def test_a_calibration_leaves_another_folder_alone(run: Call, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years")
    before = tree(tmp_path)
    done = run("zoo", "calibrate", "--out", "out", "--stages", "swap")
    assert done.exit_code == 2 and tree(tmp_path) == before


def test_a_network_is_not_built_into_the_package(run: Call) -> None:
    bundled = tree(checkpoint.ZOO)
    done = run("zoo", "build", "nsd", "--out", checkpoint.ZOO)
    assert done.exit_code == 2 and "installed package" in done.stderr
    assert tree(checkpoint.ZOO) == bundled


def test_a_card_is_measured_into_a_run_directory(
    run: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(name: str, folder: Path, into: Path, *_: object) -> None:
        (into / zoo_build.CARD).write_text(f"the card of {name} in {folder.name}")

    monkeypatch.setattr(zoo_build, "describe", measured)
    bundled = tree(checkpoint.ZOO)
    done = run("zoo", "card", "nsd", "--out", "card")
    assert done.exit_code == 0 and done.stdout == "the card of nsd in nsd\n"
    assert (tmp_path / "card" / "README.md").is_file() and tree(checkpoint.ZOO) == bundled


def test_a_run_begun_anew_takes_the_place_of_a_run_alone(tmp_path: Path) -> None:
    with RunDirectory.anew(tmp_path / "run", "x", {}) as run:
        run.write_text("old.txt", "x")
    RunDirectory.anew(tmp_path / "run", "x", {})
    assert not (tmp_path / "run" / "old.txt").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    for name in ("other", "link"):
        with pytest.raises(RunExists):
            RunDirectory.anew(tmp_path / name, "x", {})
    assert (tmp_path / "other" / "thesis.tex").exists() and (tmp_path / "run" / "command.txt").exists()
