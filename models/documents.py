"""Settings and notes as files hold them: YAML 1.2 and JSON, read within bounds and without second guesses.

A document that is too large, too deep, grows when it is read, or says a thing twice is refused before
anything is made of it.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

YAML_BYTES = 1 << 17
JSON_BYTES = 1 << 24
"""A run's or a data set's notes can be long; settings never are."""

DEEPEST = 32
MOST = 20_000
"""Levels and values of a YAML document, what its anchors stand for counted each time."""

ODD_NUMBER = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?")
"""010: eight, ten, or a name? It depends on who reads it."""


class BadDocument(ValueError):
    """What a document is not; callers say where it lies."""


def yaml_value(text: str) -> Any:
    """What a YAML 1.2 document says; None for an empty one. Raises BadDocument."""
    if len(text) > YAML_BYTES:
        raise BadDocument(f"more than {YAML_BYTES:,} characters")
    try:
        _measure(text)
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, yaml.YAMLError, RecursionError, OverflowError, ValueError) as error:
        if isinstance(error, BadDocument):
            raise
        raise BadDocument(_in_short(error)) from error


class _Dumper(yaml.SafeDumper):
    """Quotes what a reader of YAML 1.1 or of 1.2 would take for a number."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+"),
    list("-+.0123456789"),
)


def yaml_text(value: object) -> str:
    """YAML that `yaml_value` reads back to the same plain value, keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)


def read_yaml(path: Path) -> Any:
    """What a YAML file says. Raises BadDocument, OSError."""
    return yaml_value(_text(path, YAML_BYTES))


def json_value(text: str) -> Any:
    """What a JSON document says; NaN and infinity are no JSON. Raises BadDocument."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadDocument):
            raise
        raise BadDocument(f"not JSON ({_in_short(error)})") from error


def read_json(path: Path, limit: int = JSON_BYTES) -> Any:
    """What a JSON file of at most `limit` bytes says. Raises BadDocument, OSError."""
    return json_value(_text(path, limit))


def _text(path: Path, limit: int) -> str:
    if path.exists() and not path.is_file():
        raise BadDocument("no plain file")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise BadDocument(f"more than {limit:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadDocument(f"not UTF-8 ({error.reason} at byte {error.start:,})") from error


def _measure(text: str) -> None:
    """Walks the events, which costs little, and refuses what would cost much to build."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            if len(open_nodes) > DEEPEST:
                raise BadDocument(f"more than {DEEPEST} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
            if event.implicit[0] and ODD_NUMBER.fullmatch(event.value):
                raise BadDocument(f"{event.value}: a number does not begin with 0; quote it if it is a name")
        if total > MOST:
            raise BadDocument(f"more than {MOST:,} values")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadDocument(f"{twice!r} stands twice in one object")
    return made


def _no_constant(word: str) -> float:
    raise BadDocument(f"{word} is not JSON")


def _in_short(error: BaseException) -> str:
    """The first line that says something, and where."""
    if isinstance(error, RecursionError):
        return "too many levels deep"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    problem = getattr(error, "problem", None) or (lines[0] if lines else type(error).__name__)
    mark = getattr(error, "problem_mark", None)
    return f"{problem}, line {mark.line + 1}" if mark is not None else str(problem)
