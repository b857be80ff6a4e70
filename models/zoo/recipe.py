"""What a zoo network is made from: its data, its training and its regressor, and nothing else."""

from pathlib import Path

from dpa.models.config import Config, load_config
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.errors import InputError
from dpa.models.training.config import TrainConfig
from dpa.models.training.regressor_fit import RegressorConfig

RECIPES = Path(__file__).parent / "recipes"


class UnknownRecipe(InputError):
    """A zoo network without a recipe."""

    def __init__(self, name: str) -> None:
        super().__init__(f"recipe {name!r}", f"one of {', '.join(recipe_names())}", "name one of them")


class Recipe(Config):
    """The same recipe gives the same frames on every machine, and the same weights on the same one.

    outfits: where there are any, everything in `data` is rendered once in each of them.
    note: what the model card must say of the bundled weights beyond the recipe.
    """

    data: SynthConfig
    outfits: tuple[str, ...] = ()
    train: TrainConfig
    regressor: RegressorConfig = RegressorConfig()
    note: str = ""


def recipe_names() -> list[str]:
    """Names that `read_recipe` takes."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def read_recipe(name: str) -> Recipe:
    """Raises UnknownRecipe."""
    path = RECIPES / f"{name}.yaml"
    if not path.is_file():
        raise UnknownRecipe(name)
    return load_config(Recipe, path)
