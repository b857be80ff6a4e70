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
}


def test_every_recipe_is_listed_here() -> None:
    assert set(recipe_names()) == set(DIFFERENCES)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_data_and_budget_are_those_of_nsd(name: str) -> None:
    first = read_recipe("nsd").model_dump(exclude_unset=True, exclude={"note"})
    expected = first | {"train": first["train"] | DIFFERENCES[name]}
    found = read_recipe(name).model_copy(update={"note": ""})
    assert found == Recipe.model_validate(expected)


def test_a_recipe_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownRecipe, match=r"(?s)cssl-dada.*cssl-da"):
        read_recipe("cssl-dada")
