"""`dpa-engine data info` against a store whose contents are known."""

import json
from pathlib import Path

from typer.testing import CliRunner

from dpa.bench.data import write_noise_store
from dpa.engine.cli.app import app


def test_info_as_json_and_as_a_table(tmp_path: Path) -> None:
    write_noise_store(tmp_path / "set", count=24, size=8, seed=5)
    result = CliRunner().invoke(app, ["data", "info", str(tmp_path / "set"), "--json"])
    facts = json.loads(result.stdout)
    files = [file for file in (tmp_path / "set").iterdir() if file.name != "manifest.json"]
    assert facts == {
        "frames": 24,
        "subjects": ["S1", "S5"],
        "actions": ["Sitting", "Walking"],
        "cameras": [f"camera {i}" for i in range(4)],
        "size": [8, 8],
        "fps": 10.0,
        "seed": 5,
        "bytes": sum(file.stat().st_size for file in files),
    }
    table = CliRunner().invoke(app, ["data", "info", str(tmp_path / "set")]).stdout
    assert all(name in table for name in facts)
    assert "8 × 8 pixels" in table and "2: Sitting, Walking" in table


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "info", str(tmp_path), "--json"])
    assert result.exit_code == 2 and result.stdout == ""
    assert "no manifest.json" in result.stderr and "expected:" in result.stderr and "to do:" in result.stderr
