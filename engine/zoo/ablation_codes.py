"""What a swap or an adversary does to the codes themselves: an adversary's aim is a pose code that does not
tell the person (FACTS, DRNet), which pictures of exchanged appearance do not show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dpa.engine.analysis.codes import Network, encode_rows, predict_rows
from dpa.engine.analysis.distance_correlation import distance_correlation, distance_moments
from dpa.engine.analysis.neighbours import NoOtherClip, neighbour_accuracy
from dpa.engine.analysis.study import to_numpy
from dpa.engine.analysis.table import Table, table
from dpa.engine.evaluation_set import choose_samples
from dpa.models.data.store import PackedStore
from dpa.models.training.pose_metrics import mpjpe

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
    rows = [[name, f"{codes.dc:.3f}", _person(codes), _error(codes)] for name, codes in measures]
    note = (
        f"{FRAMES} frames. DC: distance correlation of appearance and pose code. Person: pose codes whose"
        " nearest neighbours from other clips tell who is seen, with a 95 % interval over clips. Both are"
        " lower where the pose code holds less of the person. MPJPE (17 joints, root-relative, no"
        " alignment) is lower where φ finds more of the pose in it."
    )
    return table("What the pose code holds of the person, and of the pose", columns, rows, note)


def _person(codes: CodeMeasures) -> str:
    if codes.person is None or codes.person_low is None or codes.person_high is None:
        return "–"
    return f"{100 * codes.person:.1f} ({100 * codes.person_low:.1f} to {100 * codes.person_high:.1f})"


def _error(codes: CodeMeasures) -> str:
    return "–" if codes.mpjpe_mm is None else f"{codes.mpjpe_mm:.1f}"
