"""The zoo's recipes: what is compared differs in the framework alone."""

import pytest

from dpa.models.zoo.recipe import Recipe, UnknownRecipe, read_recipe, recipe_names

CALIBRATION = {
    "preset": "tiny",
    "steps": 4000,
    "localiser_start": 500,
    "mask_start": 1500,
    "refinement": {"steps": 0},
}

FROM_NSD = {
    "nsd": {},
    "nsd-no-swap": {"swap_appearance": False},
    "cssl": {"framework": "cssl"},
    "cssl-da": {"framework": "cssl", "augment": "rgb-jitter"},
    "cssl-no-swap": {"framework": "cssl", "swap_appearance": False},
    "drnet": {"framework": "drnet"},
    "drnet-no-adversary": {"framework": "drnet", "drnet": {"adversarial": 0}},
    "silhouette": {"framework": "silhouette", **CALIBRATION},
    "entangled": {"framework": "entangled", **CALIBRATION},
}
"""What a recipe changes in that of zoo:nsd."""

OTHER_DATA = {"oracle-swap", "witness"}
"""Recipes that need data of another kind."""


PAPERS = ("nsd", "cssl", "cssl-da", "drnet")
"""The networks that are compared in the paper, each at `small` and at `medium`."""


def test_every_recipe_is_listed_here() -> None:
    medium = {f"{name}-medium" for name in PAPERS}
    assert set(recipe_names()) == set(FROM_NSD) | OTHER_DATA | medium


@pytest.mark.parametrize("name", FROM_NSD)
def test_recipes_share_all_but_what_they_compare(name: str) -> None:
    first = read_recipe("nsd").model_dump(exclude_unset=True, exclude={"note"})
    expected = first | {"train": first["train"] | FROM_NSD[name]}
    if expected["train"]["preset"] == "tiny":
        expected["regressor"] = {"fraction": 0.1}
    found = read_recipe(name).model_copy(update={"note": ""})
    assert found == Recipe.model_validate(expected)


@pytest.mark.parametrize("name", PAPERS)
def test_medium_networks_differ_as_the_small_ones_do(name: str) -> None:
    first = read_recipe("nsd-medium").model_dump(exclude_unset=True)
    expected = first | {"train": first["train"] | FROM_NSD[name]}
    assert read_recipe(f"{name}-medium") == Recipe.model_validate(expected)


def test_the_oracle_trains_as_nsd_does_on_people_in_everyone_s_outfits() -> None:
    fellow, oracle = read_recipe("nsd"), read_recipe("oracle-swap")
    own = {"framework", "refinement", "localiser_start", "mask_start"}
    assert oracle.train.model_dump(exclude=own) == fellow.train.model_dump(exclude=own)
    assert oracle.regressor == fellow.regressor and oracle.outfits == oracle.data.subjects


def test_a_recipe_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownRecipe, match=r"(?s)cssl-dada.*cssl-da"):
        read_recipe("cssl-dada")
