"""A framework and its ablated counterpart, trained alike: the same data and budget, at any preset and
length."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dpa.engine.zoo.build import BuildWatch, Workshop
from dpa.models.config import load_config
from dpa.models.errors import InputError
from dpa.models.zoo.recipe import RECIPES, Recipe, read_recipe, recipe_names

ABLATED = ("train.swap_appearance", "train.drnet.adversarial")
"""The settings in which a counterpart may differ."""


class NoCounterpart(InputError):
    """A name without an ablated recipe beside its own."""

    def __init__(self, name: str) -> None:
        known = sorted({one.partition("-no-")[0] for one in recipe_names() if "-no-" in one})
        super().__init__(f"no ablated recipe of {name!r}", f"some of {', '.join(known)}", "name one of them")


class UnequalBudget(InputError):
    """A framework and its counterpart that would differ in more than what is ablated."""

    def __init__(self, name: str, counterpart: str, different: Sequence[str]) -> None:
        super().__init__(
            f"{name} and {counterpart} differ in {', '.join(different)}",
            f"recipes that differ in {' or '.join(ABLATED)} alone",
            "correct models/zoo/recipes, or name both settings with --set",
        )


@dataclass(frozen=True)
class Counterpart:
    """name: of the recipe, as the table calls it. recipe: with the settings that were asked for."""

    name: str
    recipe: Recipe

    @property
    def folder(self) -> str:
        """Names its preset and length for a person and all its settings by a key, so that other settings
        never find it done."""
        told = self.recipe.model_dump_json(exclude={"note": True, "data": {"workers"}})
        key = hashlib.sha256(told.encode()).hexdigest()[:8]
        return f"{self.name}-{self.recipe.train.preset}-{self.recipe.train.steps}-{key}"


def counterparts_of(names: Sequence[str], settings: Sequence[str]) -> list[Counterpart]:
    """For each framework its own recipe and then its counterpart's, the settings ("train.steps=3000") applied
    to both; one that is ablated ("train.drnet.adversarial=0.002") to its own alone.
    Raises UnknownRecipe, NoCounterpart, UnequalBudget, and what `load_config` raises."""
    common = [setting for setting in settings if setting.partition("=")[0] not in ABLATED]
    found: list[Counterpart] = []
    for name in names:
        read_recipe(name)
        ablated = [one for one in recipe_names() if one.startswith(f"{name}-no-")]
        if not ablated:
            raise NoCounterpart(name)
        asked = {name: settings} | dict.fromkeys(ablated, common)
        pair = [Counterpart(one, load_config(Recipe, RECIPES / f"{one}.yaml", asked[one])) for one in asked]
        for counterpart in pair[1:]:
            if different := differences(pair[0].recipe, counterpart.recipe):
                raise UnequalBudget(name, counterpart.name, different)
        found += pair
    return found


def differences(one: Recipe, other: Recipe) -> list[str]:
    """The settings in which two recipes differ beyond what may be ablated and their notes."""
    first, second = (_flat(recipe.model_dump(exclude={"note"})) for recipe in (one, other))
    return [key for key in first | second if first.get(key) != second.get(key) and key not in ABLATED]


def _flat(settings: Mapping[str, object], group: str = "") -> dict[str, object]:
    """{"train": {"steps": 9}} → {"train.steps": 9}."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        found |= _flat(value, f"{group}{key}.") if isinstance(value, Mapping) else {f"{group}{key}": value}
    return found


def trained(counterpart: Counterpart, work: Path, device: torch.device, watch: BuildWatch) -> Path:
    """Its run directory in `work`, regressor fitted; what is done is not done again, what was stopped goes
    on."""
    workshop = Workshop(counterpart.folder, counterpart.recipe, work, device, watch)
    store = workshop.data()
    workshop.train(store)
    workshop.fit(store)
    return workshop.run
