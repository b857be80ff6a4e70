"""The README names only commands and options that exist, and CI finds its two commands."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from dpa.engine.cli.app import app

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"\bdpa-engine [^\n#&|]+", "\n".join(BLOCKS))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_exists(line: str) -> None:
    command = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while hasattr(command, "commands"):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, line


def test_files_that_the_readme_names_are_there() -> None:
    names = re.findall(r"\]\(([^):#]+)\)", README) + re.findall(
        r"`((?:models|engine|kernels)/[\w/.]+)`", README
    )
    assert len(names) >= 3
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("name", "begins"),
    [("attack", 'pip install ".[cpu]" && dpa-engine attack --batch 256'), ("tests", "pip install")],
)
def test_ci_runs_the_commands_of_the_readme(name: str, begins: str) -> None:
    """The function of .ci/run that reads the README, run by itself."""
    script = (ROOT / ".ci" / "run").read_text()
    function = script[script.index("readme() {") : script.index("\n}\n") + 3]
    said = subprocess.run(
        ["bash", "-euc", f"{function}\nreadme {name}"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert said.stdout.strip().startswith(begins) and said.stdout.count("\n") == 1
    assert README.count(f"<!-- ci: {name} -->") == 1
