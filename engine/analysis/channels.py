"""Figure 5: which channels of the pose code differ between two people in the same pose, and so hold
appearance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.engine.analysis.pose_pairs import Pairs
from dpa.engine.analysis.table import Table, table

Array = NDArray[np.float64]

TOP = (100, 200)
"""How many channels hold the appearance, by the paper's section 4.2."""


@dataclass(frozen=True)
class ChannelResult:
    """Absolute differences of pose codes, [m, P]: `between` two subjects in a similar pose, `within` one
    subject whose poses in two clips are as far apart. between_pairs, within_pairs: who was compared."""

    between: Array
    within: Array
    between_pairs: Pairs
    within_pairs: Pairs

    @property
    def order(self) -> NDArray[np.int64]:
        """Channels [P] from the lowest to the highest mean difference between subjects: the paper takes the
        probability that a channel holds appearance to be proportional to it."""
        return np.argsort(self.between.mean(axis=0), kind="stable")

    @property
    def appearance_share(self) -> float:
        """Share of the squared difference between subjects that the same subject's pairs do not show: 0 for a
        code of the pose alone, 1 for a code of the subject alone. Below 0 by chance."""
        between, within = (float((values**2).mean()) for values in (self.between, self.within))
        return 1 - within / between if between > 0 else float("nan")

    def top_share(self, channels: int) -> float:
        """Share of the summed difference that so many highest channels hold; evenly spread, channels / P."""
        mean = np.sort(self.between.mean(axis=0))[::-1]
        return float(mean[:channels].sum() / mean.sum()) if mean.any() else float("nan")

    def summary(self) -> dict[str, float]:
        """Figures for results.json."""
        return {
            "channels_appearance_share": self.appearance_share,
            **{f"channels_top_{top}_share": self.top_share(top) for top in TOP},
            "channels_pair_distance_mm": float(self.between_pairs.distance_mm.mean()),
        }

    def table(self) -> Table:
        """A line for each kind of pair."""
        rows = [
            [
                kind,
                str(len(pairs)),
                f"{pairs.distance_mm.mean():.1f}",
                f"{values.mean():.4f}",
                f"{np.sqrt((values**2).mean()):.4f}",
            ]
            for kind, pairs, values in (
                ("two subjects", self.between_pairs, self.between),
                ("one subject, two clips", self.within_pairs, self.within),
            )
        ]
        shares = ", ".join(f"the top {top} hold {100 * self.top_share(top):.0f} % of it" for top in TOP)
        return table(
            "Pose codes in a similar pose (Fig. 5)",
            ("pairs of", "n", "poses apart (mm)", "|difference|", "root mean square"),
            rows,
            f"{100 * self.appearance_share:.0f} % of the squared difference between subjects is not in the"
            f" pairs of one subject; {shares}. Poses: 17 joints about their centroid, at one size,"
            " not turned.",
        )


def channels(pose_codes: ArrayLike, between: Pairs, within: Pairs) -> ChannelResult:
    """pose_codes: [n, P]; between, within: pairs of different and of the same subjects among the n."""
    codes = np.asarray(pose_codes, dtype=np.float64)

    def difference(pairs: Pairs) -> Array:
        apart: Array = np.abs(codes[pairs.first] - codes[pairs.second])
        return apart

    return ChannelResult(difference(between), difference(within), between, within)
