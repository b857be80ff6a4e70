"""Every analysis of a study by name: which frames it takes, and what it hands out."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.analysis.channel_sweep import channel_sweep
from dpa.engine.analysis.channels import ChannelResult, channels
from dpa.engine.analysis.codes import crops_of
from dpa.engine.analysis.counterfactual import counterfactual
from dpa.engine.analysis.counterfactual_set import counterfactual_stores
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
from dpa.engine.analysis.outcome import Outcome
from dpa.engine.analysis.pose_pairs import equally_distant, most_similar, spread
from dpa.engine.analysis.study import Progress, Study, to_numpy
from dpa.engine.analysis.swap import swap
from dpa.engine.analysis.tsne import tsne
from dpa.engine.analysis.zero import zero_appearance
from dpa.models.errors import InputError

PAPERS_SUBJECT = "S7"
"""Whose appearance codes the paper lays out in Figure 4."""


class OneSubject(InputError):
    """Everything that compares people was asked of one person."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} on frames of one subject",
            "frames of two subjects or more",
            "take another data set or more of its subjects",
        )


def analyse_swap(study: Study, progress: Progress) -> Outcome:
    """Random pairs of two subjects, seen by any camera."""
    pairs = spread(study.pairs_of_two, study.config.pairs, 0, 1, study.config.seed)
    (sources, behind_sources), (donors, behind_donors) = study.take(pairs.first), study.take(pairs.second)
    result = swap(study.network, sources, donors, behind_sources, behind_donors)
    names = zip(study.titles(pairs.first), study.titles(pairs.second), strict=True)
    figure = swap_figure({study.label: result}, [f"{one} as {other}" for one, other in names])
    return Outcome(result.summary(), {"swap": result.table()}, {"swap": figure})


def analyse_zero(study: Study, progress: Progress) -> Outcome:
    """All of the pool in numbers, one frame of each subject in pictures."""
    subjects = study.store.subject[study.pool.rows]
    shown = one_of_each(subjects, study.config.seed)
    behind = study.take(shown)[1]
    result = zero_appearance(study.network, study.pool, subjects, torch.from_numpy(shown), behind)
    figure = zero_figure({study.label: result}, study.titles(shown))
    return Outcome(result.summary(), {"zero": result.table()}, {"zero": figure})


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
    return Outcome(result.summary(), {"tsne": result.table()}, {"tsne": tsne_figure({study.label: result})})


def analyse_channels(study: Study, progress: Progress) -> Outcome:
    """The most similar poses of two subjects in the pool."""
    result = _channels(study)
    pair = np.array([result.between_pairs.first[0], result.between_pairs.second[0]])
    crops = crops_of(study.network, study.store, study.take(pair)[0]).cpu()
    one, other = study.titles(pair)
    figure = channels_figure(result, (crops[0], crops[1]), (one, other))
    return Outcome(result.summary(), {"channels": result.table()}, {"channels": figure})


def analyse_sweep(study: Study, progress: Progress) -> Outcome:
    """Pairs of two subjects whose poses are further apart than most."""
    pairs = spread(study.pairs_of_two, study.config.sweep_pairs, 0.5, 0.95, study.config.seed)
    (a, behind_a), (b, behind_b) = study.take(pairs.first), study.take(pairs.second)
    width = study.pool.pose.shape[1]
    ks = sorted({*range(0, width, study.config.sweep_step), width})
    result = channel_sweep(study.network, a, b, behind_a, behind_b, _channels(study).order, ks, progress)
    tables = {f"sweep_{order}": result.table(order) for order in ("lowest", "highest")}
    return Outcome(result.summary(), tables, {"sweep": sweep_figure(result)})


def analyse_dc(study: Study, progress: Progress) -> Outcome:
    """The paper's 400 pictures."""
    result = dependence(
        to_numpy(study.sample.appearance),
        to_numpy(study.sample.pose),
        study.config.permutations,
        study.config.seed,
    )
    return Outcome(result.summary(), {"dc": result.table()}, {"dc": dependence_figure(result)})


def analyse_counterfactual(study: Study, progress: Progress) -> Outcome:
    """Data of its own, whatever the others take: see `counterfactual_set`."""
    result = counterfactual(study.network, counterfactual_stores(progress=progress), study.device)
    tables = {"counterfactual": result.table(), "variance": result.shares_table()}
    return Outcome(result.summary(), tables, {"counterfactual": counterfactual_figure(result)})


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
