"""Figures 4 and 9: codes laid out in the plane by t-SNE, and what their neighbours tell in numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.engine.analysis.neighbours import NeighbourAccuracy, centred_by, neighbour_accuracy
from dpa.engine.analysis.table import Table, table

PERPLEXITY = 30.0


@dataclass(frozen=True)
class TsneResult:
    """appearance_map: [m, 2], appearance codes of `subject`; actions: [m]. pose_map: [n, 2], all pose codes;
    subjects: [n]. action_from_appearance: neighbours among all appearance codes, each subject's mean taken
    away first, so that another subject's clip can be a neighbour. subject_from_pose: among pose codes."""

    subject: str
    appearance_map: NDArray[np.float32]
    actions: NDArray[np.str_]
    pose_map: NDArray[np.float32]
    subjects: NDArray[np.str_]
    action_from_appearance: NeighbourAccuracy
    subject_from_pose: NeighbourAccuracy

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        values: dict[str, float] = {}
        for name in ("action_from_appearance", "subject_from_pose"):
            found: NeighbourAccuracy = getattr(self, name)
            values |= {
                f"knn_{name}": found.accuracy,
                f"knn_{name}_low": found.low,
                f"knn_{name}_high": found.high,
                f"knn_{name}_chance": found.chance,
            }
        return values

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the two scatter plots show."""
        names = ("appearance_map", "actions", "pose_map", "subjects")
        return {"subject": np.array(self.subject), **{name: getattr(self, name) for name in names}}

    def table(self) -> Table:
        """A line for each of the two questions."""
        named = {
            "action from appearance code": self.action_from_appearance,
            "subject from pose code": self.subject_from_pose,
        }
        return table(
            "What the neighbours in a code tell (Fig. 4, 9)",
            ("question", "accuracy (%)", "95 % interval", "chance (%)", "chance, 95th percentile", "n"),
            [
                [
                    question,
                    f"{100 * found.accuracy:.1f}",
                    f"{100 * found.low:.1f} to {100 * found.high:.1f}",
                    f"{100 * found.chance:.1f}",
                    f"{100 * found.chance_high:.1f}",
                    str(found.samples),
                ]
                for question, found in named.items()
            ],
            f"{self.subject_from_pose.k} nearest neighbours, none from the sample's own clip. Disentangled"
            " codes: chance.",
        )


def tsne(
    appearance: ArrayLike,
    pose: ArrayLike,
    subjects: NDArray[np.str_],
    actions: NDArray[np.str_],
    clips: NDArray[np.int64],
    subject: str,
    k: int = 5,
    seed: int = 0,
) -> TsneResult:
    """appearance: [n, A], pose: [n, P] codes of n frames; subjects, actions, clips: [n]. subject: whose
    appearance codes are laid out, as the paper does with S7's. Raises NoOtherClip."""
    appearance, pose = np.asarray(appearance, dtype=np.float64), np.asarray(pose, dtype=np.float64)
    theirs = subjects == subject
    return TsneResult(
        subject=subject,
        appearance_map=lay_out(appearance[theirs], seed),
        actions=actions[theirs],
        pose_map=lay_out(pose, seed),
        subjects=subjects,
        action_from_appearance=neighbour_accuracy(
            centred_by(appearance, subjects), actions, clips, "action", k, seed=seed
        ),
        subject_from_pose=neighbour_accuracy(pose, subjects, clips, "subject", k, seed=seed),
    )


def lay_out(codes: ArrayLike, seed: int = 0) -> NDArray[np.float32]:
    """[n, D] → [n, 2] by scikit-learn's t-SNE from the principal components; n ≥ 4. The perplexity is 30, or
    a third of the samples where they are fewer."""
    from sklearn.manifold import TSNE

    codes = np.asarray(codes, dtype=np.float64)
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    layout: NDArray[np.float32] = TSNE(
        perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed
    ).fit_transform(codes)
    return layout
