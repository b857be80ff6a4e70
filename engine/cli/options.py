"""Options made from the settings that they set. Type, bounds, default and help of a setting stand once, in
its configuration class; a command names the settings that it offers."""

import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

JsonOnly = Annotated[bool, typer.Option("--json", help="Print JSON only.")]

ARGUMENT = ""
"""In place of an option's name: the setting is a positional argument."""

REPEATED = "..."
"""After an option's name: the setting holds several values, each given by the option again. Without it,
several are given at once, with commas between them."""


def offers(kind: type[BaseModel], **typed: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option for every setting of `kind` that has a description; `typed` says how one is
    typed where it is not by its name. Settings without a description are for files and --set.

    The command's first parameter gets what the user gave, by setting, as `load_config` takes it; nothing that
    was not given is in it. In --help the default stands in brackets, as the class has it.
    """
    described = [name for name, field in kind.model_fields.items() if field.description]
    settings = {name: f"--{name.replace('_', '-')}" for name in described} | typed

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        others = list(inspect.signature(command).parameters.values())[1:]
        made = [_parameter(name, kind.model_fields[name], option) for name, option in settings.items()]
        shapes = {name: _shape(kind.model_fields[name].annotation) for name in settings}

        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in settings}
            read = {name: _read(shapes[name], value) for name, value in given.items() if value is not None}
            command({name: value for name, value in read.items() if value is not None}, **values)

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [*made, *(one.replace(kind=keyword) for one in others)]
        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        # typer reads both: the order from the signature, the types from the annotations
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        hints = typing.get_type_hints(command, include_extras=True)
        run.__annotations__ = {one.name: one.annotation for one in made} | {
            one.name: hints[one.name] for one in others
        }
        return run

    return decorate


def _parameter(name: str, field: FieldInfo, option: str) -> inspect.Parameter:
    shape, repeated = _shape(field.annotation), option.endswith(REPEATED)
    option = option.removesuffix(REPEATED)
    declared: Any
    told: dict[str, Any] = {"help": _help(field), "show_default": False}
    if shape in (int, float):
        told |= _bounds(shape, field)
    typed: Any = shape
    if repeated:
        typed = list[_shape(_inner(field.annotation))]  # type: ignore[misc]
    elif shape is tuple:
        told["metavar"], typed = "A,B", str
    if option == ARGUMENT:
        declared = typer.Argument(**told)
    else:
        flag = f"{option}/--no-{option.removeprefix('--')}" if shape is bool else option
        declared = typer.Option(flag, **told)
    annotation = Annotated[typed | None, declared]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _shape(annotation: Any) -> type:
    """What is typed on the command line: int of `int | None`, str of a choice, tuple of several words."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        (one,) = (part for part in typing.get_args(annotation) if part is not type(None))
        return _shape(one)
    if origin is typing.Literal:
        return str
    if origin is Annotated:
        return _shape(typing.get_args(annotation)[0])
    found: type = origin or annotation
    return found


def _inner(annotation: Any) -> Any:
    """`int` of `tuple[int, ...] | None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return _inner(next(part for part in typing.get_args(annotation) if part is not type(None)))
    return typing.get_args(annotation)[0]


def _read(shape: type, value: Any) -> Any:
    if shape is not tuple:
        return value
    if isinstance(value, list):
        return tuple(value) or None
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _help(field: FieldInfo) -> str:
    default = default_words(field)
    return f"{field.description} [{default}]" if default else str(field.description)


def default_words(field: FieldInfo) -> str:
    """A setting's default as --help has it; empty where there is none, and the description says what then."""
    value = field.default
    if value is None or value is PydanticUndefined or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bounds(shape: type, field: FieldInfo) -> dict[str, Any]:
    """The limits that the parser can check; open ones of fractions are left to the class."""
    found: dict[str, Any] = {}
    for rule in field.metadata:
        if isinstance(rule, Ge):
            found["min"] = rule.ge
        elif isinstance(rule, Le):
            found["max"] = rule.le
        elif isinstance(rule, Gt) and shape is int:
            found["min"] = int(str(rule.gt)) + 1
        elif isinstance(rule, Lt) and shape is int:
            found["max"] = int(str(rule.lt)) - 1
    return found
