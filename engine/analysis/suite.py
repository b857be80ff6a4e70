"""Every analysis of a study by name: which frames it takes, and what it hands out."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.analysis.channel_sweep import channel_sweep
from dpa.engine.analysis.channels import ChannelResult, channels
from dpa.engine.analysis.codes import crops_of
from dpa.engine.analysis.counterfactual import counterfactual, counterfactual_stores
from dpa.engine.analysis.dependence import dependence
from dpa.engine.analysis.figures.channels import channels_figure
from dpa.engine.analysis.figures.counterfactual import counterfactual_figure
from dpa.engine.analysis.figures.metrics import dependence_figure
from dpa.engine.analysis.figures.swap import swap_figure
from dpa.engine.analysis.figures.sweep import sweep_figure
from dpa.engine.analysis.figures.tsne import tsne_figure
from dpa.engine.analysis.figures.zero import zero_figure
from dpa.engine.analysis.iob_study import analyse_iob
from dpa.engine.analysis.neighbours import NoOtherClip
from dpa.engine.analysis.outcome import Outcome, stored
from dpa.engine.analysis.pose_pairs import Pairs, equally_distant, most_similar, spread
from dpa.engine.analysis.study import Progress, Study, to_numpy
from dpa.engine.analysis.swap import SwapResult, swap
from dpa.engine.analysis.tsne import tsne
from dpa.engine.analysis.zero import KINDS, zero_appearance
from dpa.models.errors import InputError

Arrays = dict[str, NDArray[Any]]

PAPERS_SUBJECT = "S7"
"""Whose appearance codes the paper lays out in Figure 4."""


PAPERS_PAIR = ("S7", "S8")
"""Whose pose, and whose appearance, the paper shows in Figures 2 and 8."""

SHOWN_PAIRS = 8


class OneSubject(InputError):
    """Everything that compares people was asked of one person."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} on frames of one subject",
            "frames of two subjects or more",
            "take another data set or more of its subjects",
        )


def analyse_swap(study: Study, progress: Progress) -> Outcome:
    """In numbers random pairs of two subjects, seen by any camera; in pictures the paper's two, if there."""
    seed = study.config.seed
    pairs = spread(study.pairs_of_two, study.config.pairs, 0, 1, seed)
    result = _swap(study, pairs)
    shown = spread(_of_the_papers_pair(study), SHOWN_PAIRS, 0, 1, seed)
    pictures = _swap(study, shown)
    sources, donors = study.titles(shown.first), study.titles(shown.second)
    titles = [f"{one} as {other}" for one, other in zip(sources, donors, strict=True)]
    figure = swap_figure({study.label: pictures}, titles)
    arrays = {name: stored(getattr(pictures, name)) for name in ("source", "donor", "swapped")}
    arrays |= {"sources": np.array(sources), "donors": np.array(donors)}
    return Outcome(result.summary(), {"swap": result.table()}, {"swap": figure}, arrays)


def _swap(study: Study, pairs: Pairs) -> SwapResult:
    (sources, behind_sources), (donors, behind_donors) = study.take(pairs.first), study.take(pairs.second)
    return swap(study.network, sources, donors, behind_sources, behind_donors)


def _of_the_papers_pair(study: Study) -> Pairs:
    """Pairs with the pose of S7 and the appearance of S8; all pairs where either is not in the pool."""
    pairs, subjects = study.pairs_of_two, study.store.subject[study.pool.rows]
    pose, appearance = (subjects == name for name in PAPERS_PAIR)
    forth = pose[pairs.first] & appearance[pairs.second]
    back = pose[pairs.second] & appearance[pairs.first]
    if not (forth | back).any():
        return pairs
    turned = Pairs(
        np.where(back, pairs.second, pairs.first),
        np.where(back, pairs.first, pairs.second),
        pairs.distance_mm,
    )
    return turned.take(np.flatnonzero(forth | back))


def analyse_zero(study: Study, progress: Progress) -> Outcome:
    """All of the pool in numbers, one frame of each subject in pictures."""
    subjects = study.store.subject[study.pool.rows]
    shown = one_of_each(subjects, study.config.seed)
    behind = study.take(shown)[1]
    result = zero_appearance(study.network, study.pool, subjects, torch.from_numpy(shown), behind)
    figure = zero_figure({study.label: result}, study.titles(shown))
    arrays = {name: stored(result.pictures[kind]) for name, kind in KINDS.items()}
    arrays["subjects"] = np.array(study.titles(shown))
    return Outcome(result.summary(), {"zero": result.table()}, {"zero": figure}, arrays)


def analyse_tsne(study: Study, progress: Progress) -> Outcome:
    """All of the pool."""
    rows, store = study.pool.rows, study.store
    present = np.unique(store.subject[rows]).tolist()
    shown = study.config.tsne_subject or (PAPERS_SUBJECT if PAPERS_SUBJECT in present else present[0])
    store.select(subjects=[shown])  # names a subject that is not there
    result = tsne(
        to_numpy(study.pool.appearance),
        to_numpy(study.pool.pose),
        store.subject[rows],
        store.action[rows],
        store.sequence[rows],
        shown,
        study.config.neighbours,
        study.config.seed,
    )
    figure = tsne_figure({study.label: result})
    return Outcome(result.summary(), {"tsne": result.table()}, {"tsne": figure}, result.arrays())


def analyse_channels(study: Study, progress: Progress) -> Outcome:
    """The most similar poses of two subjects in the pool."""
    result = _channels(study)
    pair = np.array([result.between_pairs.first[0], result.between_pairs.second[0]])
    crops = crops_of(study.network, study.store, study.take(pair)[0]).cpu()
    one, other = study.titles(pair)
    figure = channels_figure(result, (crops[0], crops[1]), (one, other))
    arrays: Arrays = {
        "between": result.between.astype(np.float32),
        "within": result.within.astype(np.float32),
        "distance_mm": result.between_pairs.distance_mm,
        "pictures": stored(crops),
        "subjects": np.array([one, other]),
    }
    return Outcome(result.summary(), {"channels": result.table()}, {"channels": figure}, arrays)


def analyse_sweep(study: Study, progress: Progress) -> Outcome:
    """Pairs of two subjects whose poses are further apart than most."""
    pairs = spread(study.pairs_of_two, study.config.sweep_pairs, 0.5, 0.95, study.config.seed)
    (a, behind_a), (b, behind_b) = study.take(pairs.first), study.take(pairs.second)
    width = study.pool.pose.shape[1]
    ks = sorted({*range(0, width, study.config.sweep_step), width})
    result = channel_sweep(study.network, a, b, behind_a, behind_b, _channels(study).order, ks, progress)
    tables = {f"sweep_{order}": result.table(order) for order in ("lowest", "highest")}
    return Outcome(result.summary(), tables, {"sweep": sweep_figure(result)}, result.arrays())


def analyse_dc(study: Study, progress: Progress) -> Outcome:
    """The paper's 400 pictures."""
    result = dependence(
        to_numpy(study.sample.appearance),
        to_numpy(study.sample.pose),
        study.config.permutations,
        study.config.seed,
    )
    arrays = {"dc": result.null.dc, "dcor": result.null.dcor}
    return Outcome(result.summary(), {"dc": result.table()}, {"dc": dependence_figure(result)}, arrays)


def analyse_counterfactual(study: Study, progress: Progress) -> Outcome:
    """Data of its own, whatever the others take: see `counterfactual_stores`."""
    result = counterfactual(study.network, counterfactual_stores(progress=progress), study.device)
    tables = {"counterfactual": result.table(), "variance": result.shares_table()}
    arrays: Arrays = {
        "pictures": stored(result.pictures),
        "shifts": result.shifts(),
        "outfits": np.array(result.outfits),
    }
    return Outcome(result.summary(), tables, {"counterfactual": counterfactual_figure(result)}, arrays)


def one_of_each(names: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    """A random number for each distinct name, in the names' order."""
    order = np.random.default_rng(seed).permutation(len(names))
    return order[np.unique(names[order], return_index=True)[1]]


def _channels(study: Study) -> ChannelResult:
    of_one = study.pairs(same=True)
    if not len(of_one):
        raise NoOtherClip("subject")
    between = most_similar(study.pairs_of_two, min(study.config.pairs, len(of_one)))
    return channels(to_numpy(study.pool.pose), between, equally_distant(of_one, between))


COMPARES_PEOPLE = frozenset({"swap", "zero", "tsne", "channels", "sweep"})

SUITE: Mapping[str, Callable[[Study, Progress], Outcome]] = {
    "swap": analyse_swap,
    "zero": analyse_zero,
    "tsne": analyse_tsne,
    "channels": analyse_channels,
    "sweep": analyse_sweep,
    "dc": analyse_dc,
    "iob": analyse_iob,
    "counterfactual": analyse_counterfactual,
}


def analyse(study: Study, name: str, progress: Progress) -> Outcome:
    """One analysis by its name. Raises OneSubject, NoOtherClip, NoRegressor."""
    if name in COMPARES_PEOPLE and len(np.unique(study.store.subject[study.pool.rows])) < 2:
        raise OneSubject(name)
    return SUITE[name](study, progress)
