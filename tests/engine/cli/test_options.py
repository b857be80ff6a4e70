"""Options are made from configuration classes: what --help says is what is in force, and what is refused."""

import re
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
import yaml
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from dpa.engine.cli.app import BENCH, COMMANDS, DATA
from dpa.engine.cli.options import ARGUMENT, offers


class Brew(BaseModel):
    """Settings of every shape."""

    beans: Literal["mild", "dark"] = Field("mild", description="Which beans.")
    cups: int = Field(2, ge=1, lt=9, description="How many cups.")
    heat: float = Field(92.5, gt=0, le=100, description="Degrees.")
    guests: tuple[str, ...] | None = Field(None, description="Who comes.")
    recipe: Path | None = Field(None, description="A file.")
    milk: bool = Field(False, description="With milk.")
    sizes: tuple[int, ...] = Field((1, 8), description="Of cups.")
    cellar: str = "not offered"


def brewed(*arguments: str) -> tuple[int, dict[str, Any], str]:
    got: dict[str, Any] = {}
    one = typer.Typer(rich_markup_mode=None)

    @one.command()
    @offers(Brew, recipe=ARGUMENT, guests="--guest-list", sizes="--size...")
    def brew(flags: dict[str, Any], loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
        """Brew."""
        got.update(flags, loud=loud)

    ran = CliRunner().invoke(one, list(arguments))
    return ran.exit_code, got, ran.output


def test_only_what_was_given_arrives_and_in_its_type() -> None:
    assert brewed()[1] == {"loud": False}
    given = [
        "r.txt",
        "--beans",
        "dark",
        "--cups",
        "3",
        "--heat",
        "90",
        "--no-milk",
        "--size",
        "2",
        "--size",
        "4",
        "--guest-list",
    ]
    assert brewed(*given, "Ann, Bo", "--loud")[1] == {
        "recipe": Path("r.txt"),
        "beans": "dark",
        "cups": 3,
        "heat": 90.0,
        "guests": ("Ann", "Bo"),
        "milk": False,
        "sizes": (2, 4),
        "loud": True,
    }


def test_help_tells_description_default_and_bounds() -> None:
    said = " ".join(brewed("--help")[2].split())
    assert "How many cups. [2] [1<=x<=8]" in said and "Degrees. [92.5]" in said and "With milk. [no]" in said
    assert "Which beans. [mild]" in said and "cellar" not in said
    assert "--guest-list A,B" in said and "Of cups. [1,8]" in said


@pytest.mark.parametrize("cups", ["0", "9", "two"])
def test_what_is_out_of_bounds_is_bad_usage(cups: str) -> None:
    code, got, said = brewed("--cups", cups)
    assert (code, got) == (2, {}) and "--cups" in said


CONFIGURED = {
    "attack": "dpa.engine.attack.config:AttackRunConfig",
    "analyze": "dpa.engine.analysis.config:AnalyzeConfig",
    "reproduce": "dpa.engine.reproduce.config:ReproduceConfig",
    "train": "dpa.models.training.config:TrainConfig",
    "export": "dpa.export.config:ExportConfig",
    "fit-regressor": "dpa.models.training.regressor_fit:RegressorConfig",
    "bench data": "dpa.bench.config:StoreBench",
    "bench step": "dpa.bench.config:StepBench",
    "bench attack": "dpa.bench.config:AttackBench",
    "data synth": "dpa.models.data.synthetic.config:SynthConfig",
}
"""The commands that have a configuration class, and the class."""


@pytest.mark.parametrize("command", CONFIGURED)
def test_the_defaults_in_help_are_those_of_the_configuration(command: str) -> None:
    """Of every option that a setting stands behind and that names a value."""
    module, _, name = CONFIGURED[command].partition(":")
    settings = getattr(import_module(module), name).model_fields
    entries: Any = {**COMMANDS, **{f"data {one}": entry for one, entry in DATA.items()}}
    entries |= {f"bench {one}": entry for one, entry in BENCH.items()}
    compared = 0
    for option in entries[command].made("x").params:
        key = {"min_error": "min_error_mm"}.get(option.name, option.name)
        if key not in settings:
            continue
        default = settings[key].default
        shown = re.search(r"\[(?:default: )?([^\]]+)\]$", option.help or "")
        if shown and isinstance(default, str | int | float):
            told = {"yes": True, "no": False}.get(shown[1], yaml.safe_load(shown[1]))
            assert told == default, option.name
        elif shown and isinstance(default, tuple) and not shown[1].startswith("all"):
            assert shown[1] == ",".join(map(str, default)), option.name
        elif option.default is not None:
            assert option.default == default, option.name
        else:
            continue
        compared += 1
    assert compared >= 3
