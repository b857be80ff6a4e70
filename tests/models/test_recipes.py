"""The zoo's recipes: what is compared differs in the framework alone."""

import pytest

from dpa.models.zoo.recipe import Recipe, UnknownRecipe, read_recipe, recipe_names

DIFFERENCES = {
    "nsd": {},
    "cssl": {"framework": "cssl"},
    "drnet": {"framework": "drnet"},
    "cssl-da": {"framework": "cssl", "augment": "rgb-jitter"},
    "nsd-no-swap": {"swap_appearance": False},
    "cssl-no-swap": {"framework": "cssl", "swap_appearance": False},
    "drnet-no-adversary": {"framework": "drnet", "drnet": {"adversarial": 0}},
    "silhouette": {"framework": "silhouette"},
    "entangled": {"framework": "entangled"},
}

OTHER_DATA = {"oracle-swap"}
"""Recipes that need data of another kind."""


def test_every_recipe_is_listed_here() -> None:
    assert set(recipe_names()) == set(DIFFERENCES) | OTHER_DATA


@pytest.mark.parametrize("name", DIFFERENCES)
def test_data_and_budget_are_those_of_nsd(name: str) -> None:
    first = read_recipe("nsd").model_dump(exclude_unset=True, exclude={"note"})
    expected = first | {"train": first["train"] | DIFFERENCES[name]}
    found = read_recipe(name).model_copy(update={"note": ""})
    assert found == Recipe.model_validate(expected)


def test_the_oracle_trains_as_long_on_as_many_people_in_their_own_outfits() -> None:
    nsd, oracle = read_recipe("nsd"), read_recipe("oracle-swap")
    assert oracle.train == nsd.train.model_copy(update={"framework": "oracle-swap"})
    assert oracle.regressor == nsd.regressor and oracle.outfits == oracle.data.subjects
    frames = oracle.data.clips * oracle.data.frames * len(oracle.outfits)
    assert 1 <= frames / (nsd.data.clips * nsd.data.frames) <= 1.25


def test_a_recipe_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownRecipe, match=r"(?s)cssl-dada.*cssl-da"):
        read_recipe("cssl-dada")
