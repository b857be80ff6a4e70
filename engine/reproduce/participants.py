"""Which networks take part: what they are called, what they are, and which are missing."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dpa.engine.report.attack_runs import Role, role
from dpa.models.errors import InputError
from dpa.models.frameworks import PAPER_NAMES
from dpa.models.frameworks.foreign import ForeignNetwork, is_foreign
from dpa.models.frameworks.program import require_generator
from dpa.models.training.checkpoint import (
    WEIGHTS,
    NotANetwork,
    load_network,
    network_folder,
    read_config,
    zoo_names,
)
from dpa.models.zoo.recipe import recipe_names

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9_-])?")
"""A framework's name is also that of its folder below --out."""

TITLES = PAPER_NAMES | {"cssl-da": "CSSL (DA)"}
"""The paper's names of its networks."""


class BadParticipant(InputError):
    """A framework that is neither in the zoo nor has a recipe, or is named twice."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found,
            f"each once: one of {', '.join(recipe_names())}, or NAME=PATH of a trained network",
            "correct --frameworks (or the setting `references`)",
        )


class NothingToReproduce(InputError):
    """None of the frameworks has weights."""

    def __init__(self, missing: Sequence["Missing"]) -> None:
        super().__init__(
            f"no weights for {', '.join(one.name for one in missing)}",
            "at least one framework with weights",
            f"build one first: {missing[0].command}",
        )


@dataclass(frozen=True)
class Participant:
    """A network with weights. name: in results.json. spec: as every command takes it. title: in tables and
    figures. role: what its checkpoint says it is. weights: SHA-256 of its file."""

    name: str
    spec: str
    title: str
    role: Role
    weights: str


@dataclass(frozen=True)
class Missing:
    """A framework without weights, and the command that makes them."""

    name: str
    title: str
    command: str


def find_participants(names: Sequence[str]) -> tuple[list[Participant], list[Missing]]:
    """names: of the zoo, NAME=PATH or NAME=my_module:load. Raises BadParticipant, NothingToReproduce,
    NotANetwork or BrokenCheckpoint for a PATH without a network, and what `load_network` raises."""
    members: list[Participant] = []
    missing: list[Missing] = []
    seen: set[str] = set()
    if not names:
        raise BadParticipant("no framework at all")
    for text in names:
        name, equals, path = text.partition("=")
        if not NAME.fullmatch(name) or len(name) > 64:
            raise BadParticipant(
                f"framework {name!r}, a name of more than letters, digits, spaces, '.', '_', '-'"
            )
        if name in seen:
            raise BadParticipant(f"framework {name!r} twice")
        seen.add(name)
        if equals:
            members.append(_participant(name, path))
            continue
        try:
            members.append(_participant(name, f"zoo:{name}"))
        except NotANetwork:
            if name not in recipe_names():
                raise BadParticipant(f"framework {name!r}") from None
            missing.append(Missing(name, TITLES.get(name, name), f"dpa-engine zoo build {name}"))
    if not members:
        raise NothingToReproduce(missing)
    return members, missing


def find_references(names: Sequence[str], members: Sequence[Participant]) -> list[Participant]:
    """Those of the zoo's networks that have weights and are no members already. Raises BadParticipant."""
    taken = {member.name for member in members}
    found = []
    for name in dict.fromkeys(names):
        if name not in recipe_names():
            raise BadParticipant(f"reference {name!r}")
        if name not in taken and f"zoo:{name}" in zoo_names():
            found.append(_participant(name, f"zoo:{name}"))
    return found


def _participant(name: str, spec: str) -> Participant:
    if is_foreign(spec):
        return _foreign_participant(name, spec)
    folder = network_folder(spec)
    read_config(folder)
    weights = hashlib.sha256((folder / WEIGHTS).read_bytes() + (folder / "config.yaml").read_bytes())
    title = TITLES.get(name, name)
    return Participant(name, spec, title, role(spec), weights.hexdigest())


def _foreign_participant(name: str, spec: str) -> Participant:
    """A framework of the user's own. Raises NoGradient for a compiled program, which cannot attack itself."""
    network = load_network(spec)
    require_generator(network)
    weights = network.fingerprint() if isinstance(network, ForeignNetwork) else ""
    return Participant(name, spec, TITLES.get(name, name), role(spec), weights)


def store_key(path: Path) -> str:
    """SHA-256 of a packed store's manifest, which names its recipe and size."""
    return hashlib.sha256((path / "manifest.json").read_bytes()).hexdigest()
