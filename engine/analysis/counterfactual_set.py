"""The data of the counterfactual: one recipe of synthetic people, rendered once in every outfit into the
cache."""

import os
from collections.abc import Callable, Sequence

from dpa.engine.evaluation_set import SUBJECTS, cached_set
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig

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
    return {
        outfit: cached_set(f"counterfactual-{outfit}", counterfactual_config(outfit), progress)
        for outfit in outfits
    }
