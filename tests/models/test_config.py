"""Settings: where they come from, who wins, and what is said when they are wrong."""

from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from dpa.models.config import (
    BadConfigFile,
    BadOverride,
    BadValue,
    Config,
    UnknownKey,
    known_keys,
    load_config,
    to_yaml,
)


class Weights(Config):
    pixel: float = Field(1.0, ge=0)
    perceptual: float = 2.0


class Extra(Config):
    gamma: int = 0


class Settings(Config):
    steps: int = 100
    rate: float = 1e-3
    precision: Literal["fp32", "bf16"] = "fp32"
    weights: Weights = Weights()
    extra: Extra | None = None
    names: tuple[str, ...] = ()


def test_each_source_wins_over_those_before_it(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("steps: 1\nrate: 0.1\nweights:\n  pixel: 3\n  perceptual: 4\n")
    settings = load_config(
        Settings,
        file,
        ["weights.perceptual=7", "rate=1e-2", "names=[a, b]", "extra.gamma=5"],
        {"steps": 2, "rate": 0.5, "precision": None},
    )
    assert settings == Settings(
        steps=2,
        rate=0.01,
        precision="fp32",
        weights=Weights(pixel=3, perceptual=7),
        extra=Extra(gamma=5),
        names=("a", "b"),
    )


def test_nothing_given_means_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert load_config(Settings) == load_config(Settings, tmp_path / "empty.yaml") == Settings()


@given(
    st.builds(
        Settings,
        steps=st.integers(),
        rate=st.floats(allow_nan=False, allow_infinity=False),
        weights=st.builds(Weights, pixel=st.floats(0, 1e300), perceptual=st.floats(-1e300, 1e300)),
        names=st.lists(st.text(st.characters(codec="utf-8"))).map(tuple),
    )
)
def test_what_is_written_is_read_back(settings: Settings) -> None:
    assert Settings.model_validate(yaml.safe_load(to_yaml(settings))) == settings


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().steps = 3  # type: ignore[misc]


def test_all_keys_are_known_by_their_dotted_names() -> None:
    assert list(known_keys(Settings)) == [
        "steps",
        "rate",
        "precision",
        "weights.pixel",
        "weights.perceptual",
        "extra.gamma",
        "names",
    ]


@pytest.mark.parametrize(
    ("override", "nearest"),
    [("stpes=3", "steps"), ("weights.pixle=3", "weights.pixel"), ("pixel=3", "weights.pixel")],
)
def test_an_unknown_key_names_the_nearest(override: str, nearest: str) -> None:
    with pytest.raises(
        UnknownKey, match=f"unknown setting '{override[:-2]}'\n.*the nearest known one is '{nearest}'"
    ):
        load_config(Settings, overrides=[override])


def test_an_unknown_key_is_told_before_a_bad_value() -> None:
    with pytest.raises(UnknownKey, match="'rat'"):
        load_config(Settings, overrides=["steps=many", "rat=1"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("steps=many", "'steps' = 'many'"),
        ("weights.pixel=-1", "'weights.pixel' = -1\n.*greater than or equal to 0"),
        ("precision=fp8", "'fp32' or 'bf16'"),
        ("weights=3", "'weights' = 3"),
    ],
)
def test_a_bad_value(override: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        load_config(Settings, overrides=[override])


@pytest.mark.parametrize("override", ["steps", "=3", "weights.=3", "steps=[1"])
def test_an_override_that_cannot_be_read(override: str) -> None:
    with pytest.raises(BadOverride):
        load_config(Settings, overrides=[override])


@pytest.mark.parametrize("text", ["- a\n", "a: [1", "just words", b"\xff\xfe\x00"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / "c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadConfigFile, match=r"c\.yaml"):
        load_config(Settings, tmp_path / "c.yaml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadConfigFile, match="no such file"):
        load_config(Settings, tmp_path / "c.yaml")
