"""Settings and notes are read as they are written, within bounds, or refused."""

import contextlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpa.engine.attack.config import AttackRunConfig
from dpa.models.config import BadConfigFile, BadOverride, BadValue, Config, load_config, to_yaml
from dpa.models.documents import BadDocument, json_value, read_json, read_yaml, yaml_value
from dpa.models.errors import InputError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("samples: 8\nbatch: 4\nsamples: 16\n", "samples"),
        ("samples: 010\n", "begin with 0"),
        ("rate: -007.5\n", "begin with 0"),
        ("[" * 1000 + "]" * 1000, "levels"),
        (BOMB, "values"),
        ("a: 1\n" * 40_000, "characters"),
        ("a: [1, 2\n", "line"),
        ("a: !!python/object/apply:os.system [id]\n", "tag|constructor"),
        ("\x00", "character|special"),
    ],
)
def test_yaml_that_is_refused_at_once(text: str, said: str) -> None:
    tracemalloc.start()
    with pytest.raises(BadDocument, match=said):
        yaml_value(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_yaml_is_of_version_1_2() -> None:
    said = yaml_value("a: 1:30\nb: yes\nc: 1e-3\nd: '010'\ne: off\nf: &x [1, 2]\ng: *x\nh: 0\ni: 0.5\n")
    assert said == {
        **{"a": "1:30", "b": "yes", "c": 0.001, "d": "010", "e": "off", "f": [1, 2], "g": [1, 2]},
        **{"h": 0, "i": 0.5},
    }


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": 1, "a": 2}', "[NaN]", "[Infinity]", "{", "", "9" * 5000, '"\\ud800'[:-1]]
)
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises(BadDocument):
        json_value(text)


def test_files_are_read_within_bounds(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 33)
    for read in (read_json, read_yaml):
        with pytest.raises(BadDocument, match="bytes"):
            read(tmp_path / "large.json")
        with pytest.raises(BadDocument, match="plain file"):
            read(tmp_path)
        (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
        with pytest.raises(BadDocument, match="UTF-8"):
            read(tmp_path / "latin.txt")


@pytest.mark.parametrize("value", ["true", "yes", "1:30", "010", "inf", ".inf", ".nan", "-1", "1e400"])
@pytest.mark.parametrize("key", ["samples", "min_error_mm", "step_size", "seed"])
def test_numbers_of_an_attack_are_numbers(key: str, value: str, tmp_path: Path) -> None:
    with pytest.raises((BadValue, BadOverride)):
        load_config(AttackRunConfig, None, [f"{key}={value}"])
    (tmp_path / "c.yaml").write_text(f"{key}: {value}\n")
    with pytest.raises((BadValue, BadConfigFile)):
        load_config(AttackRunConfig, tmp_path / "c.yaml")


class Free(Config):
    name: str
    number: float
    flag: bool
    names: tuple[str, ...]


@settings(max_examples=100, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.sampled_from(["yes", "1:30", "010", "null", "~", "1e3", "a: b", "- x", "#"]), max_size=4),
)
def test_settings_are_read_back_as_they_were(name: str, number: float, flag: bool, names: list[str]) -> None:
    told = Free(name=name, number=number, flag=flag, names=tuple(names))
    assert Free.model_validate(yaml_value(to_yaml(told))) == told


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_whatever_is_written_is_read_or_refused_by_name(text: str) -> None:
    for read in (yaml_value, json_value):
        with contextlib.suppress(BadDocument):
            read(text)
    with contextlib.suppress(InputError):
        load_config(AttackRunConfig, None, [text])
