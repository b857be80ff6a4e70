"""`dpa-engine data synth`: JSON alone on stdout, readable errors, and help without heavy imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dpa.engine.cli.data import synth
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError

APP = typer.Typer()
APP.command()(synth)
SMALL = ["--subjects", "S1,s8", "--actions", "Walking", "--clips", "1", "--frames", "1", "--size", "48"]


def test_json_is_all_that_is_printed(tmp_path: Path) -> None:
    out = tmp_path / "set"
    result = CliRunner().invoke(
        APP, ["--out", str(out), *SMALL, "--workers", "1", "--outfit", "S6", "--json"]
    )
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts == PackedStore.open(out).info()
    assert facts["frames"] == 2 * 1 * 1 * 1 * 4
    assert sorted(facts["subjects"]) == ["S1", "S8"]
    assert set(PackedStore.open(out).outfit) == {"S6"}


def test_crops_and_a_readable_line(tmp_path: Path) -> None:
    arguments = [
        "--out",
        str(tmp_path / "set"),
        *SMALL,
        "--subjects",
        "S1",
        "--workers",
        "1",
        "--crop-size",
        "32",
    ]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    assert "8 frames of 4 cameras" in result.stdout
    assert PackedStore.open(tmp_path / "set").size == (32, 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subjects", "S2"], "did you mean"),
        (["--actions", "Flying"], "did you mean"),
        (["--outfit", "red"], "did you mean"),
        (["--size", "7"], "--size 7"),
        (["--fps", "0"], "--fps 0"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(APP, ["--out", str(tmp_path / "set"), *arguments])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not (tmp_path / "set").exists()


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys, dpa.engine.cli.data;"
        "print([m for m in ('torch', 'numpy', 'scipy', 'pyarrow', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_rendering_process_needs_neither_torch_nor_pyarrow() -> None:
    code = (
        "import sys, dpa.models.data.synthetic.clip;"
        "print([m for m in ('torch', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
