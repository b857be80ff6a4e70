"""The example framework goes through every command of its README."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.generate import SynthConfig, generate

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SMALLER = {
    "attack": ["{data}", "--samples", "4", "--max-steps", "10", "--batch", "4"],
    "analyze": ["--data", "{data}", "--samples", "8", "--pool", "8", "--set", "permutations=9"],
    "export": ["--data", "{data}", "--frames", "4"],
}
"""What keeps the README's commands short here, by command."""


def commands() -> list[list[str]]:
    """The README's commands, without the program's name."""
    block = re.search(r"<!-- example: own -->\n```bash\n(.*?)```", (EXAMPLES / "README.md").read_text(), re.S)
    assert block is not None
    return [shlex.split(line)[1:] for line in block[1].splitlines()]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    settings = SynthConfig(
        subjects=("S1", "S5"), actions=("Walking",), clips=2, frames=2, fps=2, size=48, seed=5, workers=1
    )
    return generate(settings, tmp_path_factory.mktemp("people") / "data")


def test_the_readmes_commands(
    people: PackedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DPA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("dpa.export.cached_pose.cached_pose_session", lambda network: network.predict)
    for command in commands():
        shorter = [one.format(data=people.path) for one in SMALLER.get(command[0], [])]
        done = CliRunner().invoke(app, [command[0], *command[1:], *shorter], catch_exceptions=False)
        assert done.exit_code == 0, (command, done.output)
    attacked = (tmp_path / "runs/own-attack/report.md").read_text()
    assert "examples.own_framework:load" in attacked
    program = str(tmp_path / "runs/own-engines/pose.fp32.onnx")
    transfer = ["attack", str(people.path), "--target", program, "--samples", "2", "--max-steps", "2"]
    refused = CliRunner().invoke(app, transfer)
    assert refused.exit_code == 2 and "gives no gradient" in refused.stderr
    done = CliRunner().invoke(app, [*transfer, "--generator", "examples.own_framework:load"])
    assert done.exit_code == 0, done.output


def test_the_example_is_short() -> None:
    assert len((EXAMPLES / "own_framework.py").read_text().splitlines()) < 100
