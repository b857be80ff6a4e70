"""The default evaluation set: frames that no training of this project sees, made once into the cache;
and samples of any set as the attack takes them."""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa import __version__
from dpa.engine.cache import cache_folder
from dpa.models.atomic import waiting_for
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import generator_fingerprint
from dpa.models.data.synthetic.generate import SynthConfig, generate
from dpa.models.errors import InputError

log = logging.getLogger(__name__)

SEED = 20_231_122
"""Seed of its motions, kept for it: no recipe of this project trains with it."""

SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
"""The subjects of the paper's Table 1."""

FRAMES_PER_CLIP = 2
FPS = 0.5
"""Two frames of a clip are two seconds apart, so that they show different poses."""


def evaluation_config() -> SynthConfig:
    """One clip for each subject and action, seen by all cameras."""
    return SynthConfig(
        subjects=SUBJECTS,
        clips=1,
        frames=FRAMES_PER_CLIP,
        fps=FPS,
        seed=SEED,
        workers=min(os.cpu_count() or 1, 8),
    )


def default_evaluation_set(progress: Callable[[int, int], None] | None = None) -> PackedStore:
    """The evaluation set from the cache; made first where it is not there (tens of seconds).

    Its folder's name holds the recipe, the package's version and the generator's code: see `set_key`.
    progress: called with (images done, images in all) while it is made.
    """
    return cached_set("evaluation", evaluation_config(), progress)


def cached_set(
    name: str, config: SynthConfig, progress: Callable[[int, int], None] | None = None
) -> PackedStore:
    """A generated set from the cache's folder NAME-KEY, made first where it is not there. name, progress: see
    `default_evaluation_set`."""
    path = cache_folder() / f"{name}-{set_key(config)}"
    with waiting_for(path):  # two first commands at once make one set
        if path.is_dir():
            try:
                return PackedStore.open(path)
            except InputError as error:
                log.warning("made again: %s", str(error).splitlines()[0])
                shutil.rmtree(path)
        return generate(config, path, progress)


def set_key(config: SynthConfig) -> str:
    """Twelve hexadecimal digits that name a set in the cache: its recipe and the code that draws it, so that
    a changed generator never meets what the former one drew."""
    return hashlib.sha256((recipe_key(config) + generator_fingerprint()).encode()).hexdigest()[:12]


def recipe_key(config: SynthConfig) -> str:
    """Twelve hexadecimal digits that name the recipe; how many workers draw is no part of it."""
    recipe = config.model_dump_json(exclude={"workers"}) + __version__
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def choose_samples(
    store: PackedStore, count: int, seed: int, subjects: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """Numbers of at most `count` frames, ascending, spread evenly over the subjects, among a
    subject's frames over its actions, and among these over the cameras; `seed` draws which.

    Raises InputError for a subject that the store does not hold.
    """
    rows = np.random.default_rng(seed).permutation(store.select(subjects=subjects))
    for columns in (
        (store.subject, store.action, store.camera),
        (store.subject, store.action),
        (store.subject,),
    ):
        groups = list(zip(*(column[rows].tolist() for column in columns), strict=True))
        rows = rows[np.argsort(rank_within(groups), kind="stable")]
    return np.sort(rows[:count])


def rank_within(groups: Sequence[Hashable]) -> NDArray[np.int64]:
    """How many earlier entries belong to the same group, for each entry."""
    seen: dict[Hashable, int] = {}
    ranks = np.empty(len(groups), dtype=np.int64)
    for place, group in enumerate(groups):
        ranks[place] = seen[group] = seen.get(group, -1) + 1
    return ranks


@dataclass(frozen=True)
class Samples:
    """rows: [n] int64, numbers of the frames in the data set. frames: [n, 3, H, W] in [0, 1]. plates:
    [P, 3, H, W] in [0, 1]. plate_index: [n] int64. poses: [n, 17, 3] mm, the true ones."""

    rows: NDArray[np.int64]
    frames: Tensor
    plates: Tensor
    plate_index: Tensor
    poses: Tensor


def samples_at(data: PackedStore, rows: NDArray[np.int64], device: torch.device | str = "cpu") -> Samples:
    """The frames `rows` of a data set and all of its plates, in memory."""
    return Samples(
        rows=rows,
        frames=data.frames_at(rows).to(device),
        plates=data.plates_tensor().to(device),
        plate_index=torch.from_numpy(data.plate[rows].astype(np.int64)).to(device),
        poses=torch.from_numpy(data.poses[rows].copy()).to(device),
    )


def take_samples(
    data: PackedStore,
    count: int,
    *,
    seed: int = 0,
    subjects: Sequence[str] | None = None,
    device: torch.device | str = "cpu",
) -> Samples:
    """At most `count` frames, spread evenly over subjects, actions and cameras; the same ones that
    `dpa-engine attack --samples COUNT --seed SEED` takes. Raises InputError for a subject that is not there.

    >>> samples = take_samples(PackedStore.open(folder), 4)
    >>> appearance_attack(G, T, samples.frames, samples.plates, samples.plate_index, AttackConfig())
    """
    return samples_at(data, choose_samples(data, count, seed, subjects), device)
