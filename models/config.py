"""Settings: frozen models filled from defaults, a YAML file, flags and `--set a.b=c`, in that order."""

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from dpa.models.documents import BadDocument, read_yaml, yaml_text, yaml_value
from dpa.models.errors import InputError


class Config(BaseModel):
    """Base of every group of settings: cannot be changed once made, refuses keys it does not know.

    FOLLOWERS: setting → those that mean something beside it alone, as a step size beside its optimiser. Where
    a later source changes the first and does not name the others, what earlier sources said of them falls.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    FOLLOWERS: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """pydantic takes `true` for 1; whoever writes it means something else."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if _holds_truth(value) and not _may_be_true(kind):
            raise ValueError(f"a value that is no yes or no, not {value!r}")
        return value

    def having(self, **changes: object) -> Self:
        """A checked copy with other values, as if a later source had named them. Raises ValidationError."""
        values = self.model_dump()
        _let_go(type(self), values, changes)
        return self.model_validate(values | changes)


def _holds_truth(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_holds_truth, value)))


def _may_be_true(annotation: object) -> bool:
    """Whether yes or no, or anything, is among what an annotation admits."""
    inside = typing.get_args(annotation)
    return annotation in (bool, object, Any, True, False) or any(_may_be_true(one) for one in inside)


Kind = TypeVar("Kind", bound=BaseModel)

Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
"""What a random generator starts from."""


class UnknownKey(InputError):
    """A setting that does not exist; the error names the nearest one that does."""

    def __init__(self, key: str, known: Sequence[str]) -> None:
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
        super().__init__(
            found=f"unknown setting {key!r}",
            expected=f"the nearest known one is {nearest[0]!r}" if nearest else "no settings at all",
            remedy=f"use one of {', '.join(known)}",
        )


class BadValue(InputError):
    """A setting whose value is of the wrong type or out of range."""

    def __init__(self, key: str, value: object, complaint: str) -> None:
        super().__init__(
            found=f"setting {key!r} = {value!r}",
            expected=complaint[:1].lower() + complaint[1:],
            remedy="correct the value in the file, the flag or --set",
        )


class BadOverride(InputError):
    """A --set that cannot be read."""

    def __init__(self, text: str, complaint: str) -> None:
        super().__init__(
            found=f"--set {text}: {complaint}",
            expected="--set NAME=VALUE or --set GROUP.NAME=VALUE, the value written as in YAML",
            remedy="for example --set weights.pixel=0.5",
        )


class BadConfigFile(InputError):
    """A settings file that is absent or is no YAML mapping."""

    def __init__(self, path: Path, complaint: str) -> None:
        super().__init__(
            found=f"{path}: {complaint}",
            expected="a YAML file of settings (name: value, groups indented)",
            remedy="start from the config.resolved.yaml of an earlier run",
        )


def load_config(
    kind: type[Kind],
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
) -> Kind:
    """Settings of `kind`; each source wins over those before it: its defaults, the YAML file, the flags
    (a flag of None was not given), the overrides "a.b=c". What a later source leaves without the setting
    that it belongs to falls, see `Config.FOLLOWERS`.

    Raises BadConfigFile, BadOverride, UnknownKey, BadValue.
    """
    values = {} if file is None else _read_yaml(file)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    said: dict[str, object] = {}
    for text in overrides:
        _apply(said, text)
    for source in (given, said):
        _let_go(kind, values, source)
        values |= source if source is given else {}
    for text in overrides:
        _apply(values, text)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _named(error, kind) from error


def to_yaml(config: BaseModel | Mapping[str, object]) -> str:
    """YAML that `load_config` reads back to the same settings."""
    plain = config.model_dump(mode="json") if isinstance(config, BaseModel) else dict(config)
    return yaml_text(plain)


def known_keys(kind: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every setting's name, groups dotted: "steps", "weights.pixel", …"""
    for name, field in kind.model_fields.items():
        groups = [part for part in _parts(field.annotation) if issubclass(part, BaseModel)]
        for group in groups:
            yield from known_keys(group, f"{prefix}{name}.")
        if not groups:
            yield prefix + name


def _parts(annotation: object) -> list[type]:
    """The classes in an annotation: those of `A | B | None` are A, B and NoneType."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [part for option in typing.get_args(annotation) for part in _parts(option)]
    return [annotation] if isinstance(annotation, type) and not typing.get_origin(annotation) else []


def _read_yaml(file: Path) -> dict[str, object]:
    try:
        values = read_yaml(file)
    except FileNotFoundError:
        raise BadConfigFile(file, "no such file") from None
    except (OSError, BadDocument) as error:
        raise BadConfigFile(file, str(error)) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadConfigFile(file, f"a {type(values).__name__}, no mapping")
    return values


def _apply(values: dict[str, object], text: str) -> None:
    key, equals, written = text.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise BadOverride(text, "no name=value")
    try:
        value = yaml_value(written)
    except BadDocument as error:
        raise BadOverride(text, str(error)) from error
    group = values
    for name in names[:-1]:
        inner = group.get(name)
        # A file's mapping is copied, never changed; whatever else stood there is replaced by the group.
        group[name] = group = dict(inner) if isinstance(inner, dict) else {}
    group[names[-1]] = value


def _let_go(kind: type[BaseModel], values: dict[str, Any], source: Mapping[str, object]) -> None:
    """Takes out of `values` what follows a setting that `source` changes, and that it does not name."""
    followers: Mapping[str, tuple[str, ...]] = getattr(kind, "FOLLOWERS", {})
    for key, value in source.items():
        here = values.get(key)
        if isinstance(value, dict) and isinstance(here, dict):
            groups = _parts(kind.model_fields[key].annotation) if key in kind.model_fields else []
            values[key] = here = dict(here)
            for group in groups:
                if issubclass(group, BaseModel):
                    _let_go(group, here, value)
        elif here != value:
            for follower in followers.get(key, ()):
                if follower not in source:
                    values.pop(follower, None)


def _named(error: ValidationError, kind: type[BaseModel]) -> InputError:
    """The first unknown key, which may explain the rest, else the first bad value."""
    found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")[0]
    key = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return UnknownKey(key, list(known_keys(kind)))
    return BadValue(key, found["input"], found["msg"])
