"""What a framework's swap or adversary is good for: networks trained with and without it, measured by
exchanging appearance between people (paper, section 4), and by what the codes themselves tell: an adversary's
aim is a pose code that does not tell the person, which pictures of exchanged appearance do not show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.analyses.swap import swap
from dpa.engine.analysis.codes import Network, backgrounds_of, encode_rows, predict_rows
from dpa.engine.analysis.distance_correlation import distance_correlation, distance_moments
from dpa.engine.analysis.neighbours import NoOtherClip, neighbour_accuracy
from dpa.engine.analysis.painting import paint
from dpa.engine.analysis.study import to_numpy
from dpa.engine.analysis.values import NOTHING, Cell, Table, number, table, words
from dpa.engine.evaluation_set import choose_samples
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError
from dpa.models.training.validation import mpjpe

INSIDE = 0.5
"""Mask above which a pixel counts as the person."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SwapMeasures:
    """How far pictures with another person's appearance code are from disentangled ones.

    colours_moved: how far the colours inside the mask went to the donor's; 1 where the pose code carries
    none. pose_shift_mm: how far φ's pose moves, MPJPE over 17 joints, root-relative, no alignment; 0 where
    the pose code is blind to appearance. silhouette_kept: intersection over union of the decoder's masks
    before and after; 1 where the appearance code carries no pose. pose_shift_margin_mm,
    silhouette_kept_margin: half of a 95 % interval of these means over the pairs; None of one pair.
    """

    pairs: int
    colours_moved: float
    pose_shift_mm: float
    silhouette_kept: float
    pose_shift_margin_mm: float | None = None
    silhouette_kept_margin: float | None = None


def pairs_of_people(store: PackedStore, count: int, seed: int) -> tuple[Rows, Rows]:
    """At most `count` frames, spread over subjects and actions, and for each a random frame of another
    subject. Raises InputError where there is one subject only."""
    subjects = np.unique(store.subject)
    if len(subjects) < 2:
        raise InputError(
            f"{store.path}: {len(subjects)} subject", "two people or more", "use data of several subjects"
        )
    sources = choose_samples(store, count, seed)
    rng = np.random.default_rng([seed, 0xD0])
    others = {name: np.flatnonzero(store.subject != name) for name in subjects}
    return sources, np.array([rng.choice(others[name]) for name in store.subject[sources]])


def measure_swap(
    network: Network, store: PackedStore, pairs: tuple[Rows, Rows], device: torch.device
) -> SwapMeasures:
    """pairs: rows of the store, of those whose pose is kept and of those who lend their appearance."""
    sources, donors = (encode_rows(network, store, rows, device) for rows in pairs)
    moved = swap(network, sources, donors, *(backgrounds_of(store, codes) for codes in (sources, donors)))
    before = paint(network, sources.appearance, sources.pose).mask
    after = paint(network, donors.appearance, sources.pose).mask
    kept = silhouette_iou(before, after).double().cpu().numpy()
    return SwapMeasures(
        pairs=len(sources),
        colours_moved=moved.colours_moved,
        pose_shift_mm=float(moved.shift_mm.mean()),
        silhouette_kept=float(kept.mean()),
        pose_shift_margin_mm=margin(moved.shift_mm),
        silhouette_kept_margin=margin(kept),
    )


def margin(values: NDArray[np.float64]) -> float | None:
    """Half of a 95 % interval of the mean, by the normal approximation. values: [n]; None where n is 1."""
    if len(values) < 2:
        return None
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def silhouette_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of masks above INSIDE. [n, 1, s, s] twice → [n]; 1 where both are empty."""
    a, b = (mask.flatten(1) > INSIDE for mask in (first, second))
    either = (a | b).sum(1)
    return torch.where(either > 0, (a & b).sum(1) / either.clamp(min=1), 1.0)


def ablation_table(measures: Sequence[tuple[str, SwapMeasures]], data: str) -> Table:
    """A line a network. data: what was measured on, in words."""
    columns = ["network", "colours moved (%)", "pose moved (mm)", "silhouette kept (IoU)"]
    rows = [
        [
            words(name),
            number(one.colours_moved, 1, "%"),
            number(one.pose_shift_mm, 1, "mm", spread=one.pose_shift_margin_mm),
            number(one.silhouette_kept, 3, spread=one.silhouette_kept_margin),
        ]
        for name, one in measures
    ]
    note = (
        f"{measures[0][1].pairs} pairs of people from {data}. A disentangled network has 100 %, 0 mm and 1:"
        " colours inside the mask become the donor's; φ's pose (17 joints, root-relative, no alignment) and"
        " the decoder's silhouette stay. ±: half of a 95 % interval over the pairs, the same for all."
    )
    return table("exchange", "Appearance exchanged between people", columns, rows, note)


FRAMES = 400
"""As many as the paper takes for DC."""


@dataclass(frozen=True)
class CodeMeasures:
    """dc: distance correlation of appearance and pose codes, in [0, 1]; smaller is more disentangled. person:
    share of pose codes whose nearest neighbours from other clips are the same person's; person_low,
    person_high: its 95 % interval over clips. None where everybody is seen in one clip only. mpjpe_mm: φ's
    error, 17 joints, root-relative, no alignment; None where the poses are not known."""

    dc: float
    person: float | None
    person_low: float | None
    person_high: float | None
    mpjpe_mm: float | None = None


def measure_codes(network: Network, store: PackedStore, seed: int, device: torch.device) -> CodeMeasures:
    """On FRAMES frames, spread over subjects and actions."""
    rows = choose_samples(store, FRAMES, seed)
    codes = encode_rows(network, store, rows, device)
    appearance, pose = to_numpy(codes.appearance), to_numpy(codes.pose)
    dc = distance_correlation(distance_moments(appearance, pose))
    error = float(mpjpe(predict_rows(network, store, rows, device), store.poses[rows].astype(float)).mean())
    mpjpe_mm = error if np.isfinite(error) else None
    try:
        told = neighbour_accuracy(pose, store.subject[rows], store.sequence[rows], "subject", seed=seed)
    except NoOtherClip:
        return CodeMeasures(dc, None, None, None, mpjpe_mm)
    return CodeMeasures(dc, told.accuracy, told.low, told.high, mpjpe_mm)


def codes_table(measures: Sequence[tuple[str, CodeMeasures]]) -> Table:
    """A line a network."""
    columns = ["network", "DC(A, P)", "person (%)", "MPJPE (mm)"]
    rows = [
        [words(name), number(codes.dc, 3), _person(codes), number(codes.mpjpe_mm, 1, "mm")]
        for name, codes in measures
    ]
    note = (
        f"{FRAMES} frames. DC: distance correlation of appearance and pose code. Person: pose codes whose"
        " nearest neighbours from other clips tell who is seen, with a 95 % interval over clips. Both are"
        " lower where the pose code holds less of the person. MPJPE (17 joints, root-relative, no"
        " alignment) is lower where φ finds more of the pose in it."
    )
    return table("person", "What the pose code holds of the person, and of the pose", columns, rows, note)


def _person(codes: CodeMeasures) -> Cell:
    if codes.person is None or codes.person_low is None or codes.person_high is None:
        return NOTHING
    return number(codes.person, 1, "%", interval=(codes.person_low, codes.person_high))
