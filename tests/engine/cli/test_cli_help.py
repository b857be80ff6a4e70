"""Every console script and every one of its commands explains itself at once: nothing heavy is imported.
Where one says how a network is named, it says every way."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dpa.engine.cli.app import BENCH, CACHE, COMMANDS, DATA, RUNS, ZOO
from dpa.engine.cli.lazy import Command

SCRIPTS = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]

HEAVY = (
    "torch",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "numpy",
    "matplotlib",
    "scipy",
    "pyarrow",
    "skimage",
    "openvino",
)
NOT_FOR_A_LIST = (*HEAVY, "pydantic", "yaml", "rich")
"""What a list of commands needs even less: it knows no settings and draws no boxes."""

WALK = """
import contextlib, importlib, io, json, sys, typer

module, name = sys.argv[1].split(":")
function = getattr(importlib.import_module(module), name)
app = importlib.import_module(module if "." in module.removeprefix("dpa.engine.cli") else f"{module}.app").app
answers = {}

def explain(path, command):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        typer.main.get_command(app).main([*path, "--help"], prog_name="x")
    told = [text for one in command.params for text in (one.metavar, getattr(one, "help", None)) if text]
    heavy = [name for name in sys.argv[2].split(",") if name in sys.modules]
    answers[" ".join(path)] = {"help": said.getvalue(), "heavy": heavy, "told": told}
    for name, inner in getattr(command, "commands", {}).items():
        explain([*path, name], inner)

explain([], typer.main.get_command(app))
print(json.dumps(answers))
"""


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_help_is_light(script: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WALK, SCRIPTS[script], ",".join(HEAVY)],
        check=True,
        capture_output=True,
        text=True,
    )
    answers = json.loads(ran.stdout)
    for command, answer in answers.items():
        assert "--help" in answer["help"], command
        assert answer["heavy"] == [], f"{script} {command} --help imports {answer['heavy']}"
        for text in answer["told"]:
            named = "zoo:NAME" in text or "run directories" in text
            assert not named or "my_module:load" in text, f"{script} {command}: {text}"
    if script == "dpa-engine":
        assert {"data info", "doctor", "bench data"} <= answers.keys()


@pytest.mark.parametrize("group", [[], ["data"], ["zoo"], ["bench"]])
def test_a_list_of_commands_imports_none_of_them(group: list[str]) -> None:
    code = (
        "import sys\n"
        "from dpa.engine.cli import main\n"
        "sys.argv = ['dpa-engine', *sys.argv[1:], '--help']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print('LOADED', *sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, *group], check=True, capture_output=True, text=True)
    said, _, loaded = ran.stdout.partition("LOADED")
    assert "Commands:" in said and "..." not in said.partition("Commands:")[2]
    by_typer = {"pydantic"} if group else set()  # typer itself looks for it when it reads a value
    assert set(loaded.split()) & set(NOT_FOR_A_LIST) <= by_typer


def test_a_list_says_of_each_command_what_the_command_says_of_itself() -> None:
    """Its first sentence, unless the list shortens what needs more."""
    for entries in (COMMANDS, DATA, ZOO, BENCH, RUNS, CACHE):
        for name, entry in entries.items():
            if isinstance(entry, Command):
                help_text = " ".join((entry.made(name).help or "").split())
                begins = entry.told.partition(":")[0] if name == "long-run" else entry.told.rstrip(".")
                assert help_text.startswith(begins), name


def test_the_walk_notices_a_heavy_import() -> None:
    """The check itself: a module that does import NumPy is found out."""
    heavy = WALK.replace("getattr(importlib", '__import__("numpy") and getattr(importlib')
    ran = subprocess.run(
        [sys.executable, "-c", heavy, SCRIPTS["dpa-engine"], "numpy"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(ran.stdout)[""]["heavy"] == ["numpy"]
