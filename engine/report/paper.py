"""The paper's own figures, as printed, and what its averages come to when they are computed again."""

from statistics import fmean
from typing import NamedTuple

FRAMEWORKS = ("NSD", "DRNet", "CSSL")


class Errors(NamedTuple):
    """MPJPE in mm before and after the attack."""

    initial: float
    final: float


TABLE_1 = {
    "S1": (Errors(21.0, 179.7), Errors(23.9, 169.7), Errors(21.5, 176.9)),
    "S5": (Errors(19.6, 180.0), Errors(14.1, 166.7), Errors(25.3, 186.5)),
    "S6": (Errors(22.3, 179.8), Errors(23.5, 177.9), Errors(26.8, 196.7)),
    "S7": (Errors(18.8, 179.2), Errors(17.6, 177.5), Errors(24.1, 191.8)),
    "S8": (Errors(16.8, 178.6), Errors(21.7, 198.9), Errors(30.5, 186.9)),
}
"""Table 1 on Human3.6M, by subject, in the order of FRAMEWORKS."""

TABLE_1_AVERAGES = (Errors(19.7, 179.5), Errors(20.2, 177.5), Errors(25.6, 207.5))
"""The "Average" row of Table 1 as printed, in the order of FRAMEWORKS."""

TABLE_1_OVERALL = Errors(21.8, 176.8)
"""The corner of Table 1 as printed."""

TABLE_2 = {"ssim": (0.947, 0.963, 0.943), "psnr_db": (24.65, 26.45, 24.37), "mse": (0.012, 0.007, 0.013)}
"""Table 2: adversarial against synthesised images, in the order of FRAMEWORKS."""


def recomputed_average(framework: str) -> Errors:
    """Mean over the five subjects of Table 1."""
    column = [row[FRAMEWORKS.index(framework)] for row in TABLE_1.values()]
    return Errors(fmean(cell.initial for cell in column), fmean(cell.final for cell in column))


def recomputed_overall() -> Errors:
    """Mean over all fifteen cells of Table 1."""
    cells = [cell for row in TABLE_1.values() for cell in row]
    return Errors(fmean(cell.initial for cell in cells), fmean(cell.final for cell in cells))


TABLE_1_SUBJECTS = {
    "S1": Errors(21.6, 174.2),
    "S5": Errors(19.6, 177.1),
    "S6": Errors(23.4, 184.7),
    "S7": Errors(20.3, 182.3),
    "S8": Errors(23.0, 187.8),
}
"""The "Average" column of Table 1 as printed; most of it does not follow from its rows."""

TABLE_4 = {"ssim": (0.943, 0.926), "psnr_db": (24.37, 22.90), "mse": (0.013, 0.018)}
"""Table 4: adversarial against synthesised images of CSSL and of CSSL (DA)."""


def recomputed_subject(subject: str) -> Errors:
    """Mean over the three frameworks of Table 1. KeyError for a subject that it has not."""
    cells = TABLE_1[subject]
    return Errors(fmean(cell.initial for cell in cells), fmean(cell.final for cell in cells))
