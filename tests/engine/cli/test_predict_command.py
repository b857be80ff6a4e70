"""The command as it is typed: what goes to stdout, what to stderr, exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from dpa.engine.cli import predict as command
from dpa.engine.cli.readable_errors import ReadableErrors


@pytest.fixture
def run(monkeypatch, colour_session):
    real = command.open_session
    monkeypatch.setattr(
        command,
        "open_session",
        lambda engine, *rest: colour_session if engine == Path("stub") else real(engine, *rest),
    )
    app = typer.Typer(cls=ReadableErrors)
    app.command("predict")(command.predict)
    app.callback()(lambda: None)
    return lambda *args: CliRunner().invoke(app, ["predict", *map(str, args)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(5):
        Image.new("RGB", (20, 20), (51 * number,) * 3).save(root / f"{number}.png")
    (root / "cut.png").write_bytes((root / "1.png").read_bytes()[:50])
    return root


def test_json_lines_on_stdout_and_words_on_stderr(run, folder: Path) -> None:
    result = run(folder, "--engine", "stub", "--batch", 2)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(row["source"]).name for row in rows] == [f"{n}.png" for n in range(5)]
    # pictures are not padded here: a square one fills its frame
    np.testing.assert_allclose([row["pose_mm"][0][0] for row in rows], [0.2 * n for n in range(5)], atol=1e-3)
    assert "cut.png" in result.stderr and "1 unreadable" in result.stderr


def test_a_file_and_its_summary(run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "poses.parquet"
    result = run(folder, "--engine", "stub", "--out", out, "--json")
    summary = json.loads(result.stdout)
    assert result.exit_code == 0 and out.is_file()
    assert (summary["predicted"], summary["backend"], summary["device"]) == (5, "torch", "cpu")
    (bad,) = summary["unreadable"]
    assert Path(bad["source"]).name == "cut.png"
    assert Path(summary["unreadable_list"]).read_text().count("\n") == 1


def test_overlay_pictures(run, folder: Path, tmp_path: Path) -> None:
    result = run(folder, "--engine", "stub", "--out", tmp_path / "p.csv", "--overlay", tmp_path / "over")
    assert result.exit_code == 0
    names = sorted(path.name for path in (tmp_path / "over").glob("*.png"))
    assert names == [f"{number:06d}_{number}.png" for number in range(5)]
    assert run(folder, "--engine", "stub", "--overlay", tmp_path / "over").exit_code == 2


def test_nothing_readable_is_a_failure(run, folder: Path) -> None:
    result = run(folder / "cut.png", "--engine", "stub")
    assert result.exit_code == 1 and "nothing was predicted" in result.stderr


@pytest.mark.parametrize("names", [[], ["--engine", "stub2", "--network", "zoo:nsd"]])
def test_one_of_engine_and_network(run, folder: Path, names: list[str]) -> None:
    result = run(folder, *names)
    assert result.exit_code == 2 and "--network zoo:nsd" in result.stderr


def test_a_missing_source_and_a_folder_without_engines(run, folder: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere", "--engine", "stub").exit_code == 2
    result = run(folder, "--engine", tmp_path)
    assert result.exit_code == 2 and "manifest.json" in result.stderr
