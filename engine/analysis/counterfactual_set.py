"""The data of the counterfactual: one recipe of synthetic people, rendered once in every outfit into the
cache."""

import os
from collections.abc import Callable, Sequence

from dpa.engine.cache import cache_folder
from dpa.engine.evaluation_set import SUBJECTS, recipe_key
from dpa.models.data.store import PackedStore
from dpa.models.data.store_errors import OutputExists
from dpa.models.data.synthetic.generate import SynthConfig, generate

SEED = 20_231_123
"""Seed of its motions, kept for it: neither a recipe of this project nor the evaluation set has it."""

Progress = Callable[[int, int], None]


def counterfactual_config(outfit: str) -> SynthConfig:
    """One frame of one clip for each subject and action, seen by all cameras, everybody in one outfit."""
    return SynthConfig(
        subjects=SUBJECTS,
        clips=1,
        frames=1,
        fps=1,
        seed=SEED,
        workers=min(os.cpu_count() or 1, 8),
        outfit=outfit,
    )


def counterfactual_stores(
    outfits: Sequence[str] = SUBJECTS, progress: Progress | None = None
) -> dict[str, PackedStore]:
    """A data set for each outfit, made first where the cache has it not (seconds each).

    progress: called with (images done, images in all) of the set that is being made.
    """
    return {outfit: _cached(counterfactual_config(outfit), progress) for outfit in outfits}


def _cached(config: SynthConfig, progress: Progress | None) -> PackedStore:
    path = cache_folder() / f"counterfactual-{config.outfit}-{recipe_key(config)}"
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return generate(config, path, progress)
        except OutputExists:  # another process was faster
            pass
    return PackedStore.open(path)
