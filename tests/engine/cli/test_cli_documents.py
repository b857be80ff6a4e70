"""README and docs name only commands, options and files that exist, and CI finds its two commands."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from dpa.engine.cli.app import app

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[str]:
    """The programs' calls in a page's blocks and in its running text, pipes and comments cut off."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    told = "\n".join(" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text))
    found = re.findall(r"\b((?:dpa-engine|export-engines) [^\n#&|]+)", f"{blocks}\n{told}")
    return [line.strip() for line in found if "…" not in line]


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in commands(page)}))
def test_a_command_of_the_documents_exists(line: str) -> None:
    program, *words = shlex.split(line)
    words = ["export", *words] if program == "export-engines" else words  # one command under two names
    command = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    assert {word for word in words if re.match(r"--[a-z]", word)} <= options, line


def test_each_page_has_commands_or_facts_and_the_readme_stays_short() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 40
    assert len((ROOT / "README.md").read_bytes()) <= 8_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    links = [page.parent / name for name in re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", text)]
    named = re.findall(r"`((?:models|engine|kernels|export|bench|examples|tests)/[\w/.-]+\.\w+)`", text)
    assert [str(path) for path in (*links, *(ROOT / name for name in named)) if not path.exists()] == []


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
