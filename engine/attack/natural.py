"""Frames that show what appearances are natural: people of clips that are not attacked, in many outfits."""

import os
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.appearance import AppearanceDistribution, TooFewCodes, measure_appearance
from dpa.engine.attack.objective import Generator
from dpa.engine.evaluation_set import SUBJECTS, cached_set
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig

SEED = 20_231_124
"""Seed of its motions and outfits, kept for it: neither a recipe of this project nor an evaluation has it."""

CLIPS, FRAMES, FPS = 1, 4, 0.5
"""For each subject and action: 300 moments in all, each in an outfit, a skin and a light of its own, seen by
four cameras. Five people in five outfits are a thin sample of appearances."""


def natural_config() -> SynthConfig:
    """The people of the evaluation set in other motions, dressed anew at every moment."""
    return SynthConfig(
        subjects=SUBJECTS,
        clips=CLIPS,
        frames=FRAMES,
        fps=FPS,
        seed=SEED,
        fresh_outfits=True,
        workers=min(os.cpu_count() or 1, 8),
    )


def default_natural_set(progress: Callable[[int, int], None] | None = None) -> PackedStore:
    """It, from the cache; made first where it is not there (about a minute). progress: called with (images
    done, images in all) while it is made."""
    return cached_set("natural", natural_config(), progress)


def rows_of_other_clips(store: PackedStore, attacked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frames of the clips of which no frame is among `attacked`, ascending."""
    return np.flatnonzero(~np.isin(store.sequence, np.unique(store.sequence[attacked])))


def natural_appearance(
    generator: Generator,
    store: PackedStore,
    attacked: NDArray[np.int64],
    natural: PackedStore | None,
    device: torch.device,
) -> AppearanceDistribution:
    """The distribution of real codes that an attack on the frames `attacked` of `store` is measured by: of
    all frames of `natural` or, where there is none, of the store's other clips. Raises TooFewCodes."""
    if natural is not None:
        return measure_appearance(generator, natural, np.arange(len(natural)), device)
    return measure_appearance(generator, store, rows_of_other_clips(store, attacked), device)


def kept_appearance(
    run: RunDirectory,
    generator: Generator,
    store: PackedStore,
    attacked: NDArray[np.int64],
    natural: PackedStore | None,
    device: torch.device,
    needed: bool,
) -> AppearanceDistribution | None:
    """The distribution that stands beside a run; measured and kept where it is not there, so that a run that
    goes on meets the same numbers. needed: whether the attack is bounded by it: where it is and cannot be
    told, TooFewCodes, and otherwise None. Raises BrokenAppearance."""
    if AppearanceDistribution.kept(run.path):
        return AppearanceDistribution.load(run.path)
    try:
        real = natural_appearance(generator, store, attacked, natural, device)
    except TooFewCodes:
        if needed:
            raise
        return None
    real.save(run.path)
    return real
