"""Figures 4 and 9: codes laid out in the plane by t-SNE, and what their neighbours tell in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from dpa.engine.analysis.claims import Claim, beyond
from dpa.engine.analysis.measures import CSSL_DA, Measure, Scale
from dpa.engine.analysis.neighbours import NeighbourAccuracy, centred_by, neighbour_accuracy
from dpa.engine.analysis.registry import PLAIN, Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study, to_numpy
from dpa.engine.analysis.values import Cell, Table, count, number, table
from dpa.engine.drawing.grid import Shown
from dpa.engine.drawing.style import INK, TEXT, blank_figure, symbols

PERPLEXITY = 30.0

PAPERS_SUBJECT = "S7"
"""Whose appearance codes the paper lays out in Figure 4."""


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
            "tsne",
            "What the neighbours in a code tell (Fig. 4, 9)",
            ("question", "accuracy (%)", "95 % interval", "chance (%)", "chance, 95th percentile", "n"),
            [
                [
                    question,
                    number(found.accuracy, 1, "%"),
                    Cell(digits=1, unit="%", interval=(found.low, found.high)),
                    number(found.chance, 1, "%"),
                    number(found.chance_high, 1, "%"),
                    count(found.samples),
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


def run(study: Study, progress: Progress) -> Outcome:
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
    return Outcome(result.summary(), {"tsne": result.table()}, result.arrays())


def tsne_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """For each network: appearance codes of one subject by action, and all pose codes by subject."""
    there = [one for one in networks if one.arrays]
    figure = blank_figure(10.5, 3.9 * len(there))
    for (left, right), one in zip(figure.subplots(len(there), 2, squeeze=False), there, strict=True):
        arrays = one.arrays
        _scatter(left, arrays["appearance_map"], arrays["actions"])
        _scatter(right, arrays["pose_map"], arrays["subjects"])
        of_one = f"appearance codes of {arrays['subject']}, by action"
        left.set_title(f"{one.title}: {of_one}\n{_told(one, ACTION)}", **TEXT)
        right.set_title(f"{one.title}: pose codes, by person\n{_told(one, PERSON)}", **TEXT)
    return figure


def _scatter(axis: Axes, points: NDArray[np.float32], labels: NDArray[np.str_]) -> None:
    """points: [n, 2]; labels: [n]. t-SNE's axes mean nothing, so none are drawn."""
    for label, (colour, marker) in symbols(np.unique(labels).tolist()).items():
        chosen = points[labels == label]
        axis.scatter(chosen[:, 0], chosen[:, 1], s=16, c=colour, marker=marker, label=label, alpha=0.8, lw=0)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_color("#d5dbe4")
    axis.legend(
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        fontsize=7,
        labelcolor=INK,
        handletextpad=0.2,
    )


def _told(one: Shown, key: str) -> str:
    parts = [one.summary.get(key + ending) for ending in ("", "_low", "_high", "_chance")]
    found, low, high, chance = (100 * (part or 0) for part in parts)
    return f"neighbours tell it in {found:.0f} % ({low:.0f} to {high:.0f}), chance {chance:.0f} %"


ACTION, PERSON = "knn_action_from_appearance", "knn_subject_from_pose"

ANALYSIS = Analysis(
    name="tsne",
    title="t-SNE and neighbours",
    run=run,
    reads=("pool", "neighbours", "tsne_subject"),
    compares_people=True,
    measures=(
        Measure(
            ACTION, "appearance code tells the action", "%", better="lower", null="chance",
            scale=Scale(0.1, 0),
        ),
        Measure(
            PERSON, "pose code tells the person", "%", better="lower", null="chance", scale=Scale(0.1, 0)
        ),
    ),
    figures=(
        FigureSpec(
            "fig4",
            "t-SNE of appearance codes",
            tsne_figure,
            "Left, as the paper: appearance codes of one person, coloured by action; clusters mean that"
            " appearance knows the pose. Right, beyond it: pose codes of all, by person. The line above each"
            " tells how often the nearest neighbours from other clips agree.",
            number=4,
            claim=Claim(
                "appearance codes of one person cluster by action",
                "the nearest neighbours tell the action in at least half of the appearance codes",
                beyond(ACTION, 0.5, PLAIN, unit="%"),
            ),
            section="codes",
            file="tsne",
        ),
        FigureSpec(
            "fig9",
            "t-SNE of the appearance codes of CSSL (DA)",
            tsne_figure,
            "As Figure 4, CSSL trained with colour augmentation.",
            number=9,
            claim=Claim(
                "with augmentation too the appearance codes cluster by action",
                "the nearest neighbours tell the action in at least half of the appearance codes",
                beyond(ACTION, 0.5, [CSSL_DA], unit="%"),
            ),
            titles=(CSSL_DA,),
            section="augmentation",
        ),
    ),
)  # fmt: skip
