"""Figures of the paper that paper.py leaves out: Table 1's "Average" column and Table 4."""

from statistics import fmean

from dpa.engine.report.paper import TABLE_1, Errors

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


TABLE_3 = {
    "dc": {"NSD": 0.88, "DRNet": 0.59, "CSSL": 0.77, "CSSL (DA)": 0.62},
    "iob_appearance": {"NSD": 0.79, "DRNet": 0.90, "CSSL": 0.95},
    "iob_pose": {"NSD": 1.15, "DRNet": 1.08, "CSSL": 1.29},
}
"""Table 3, by our names of the measures; CSSL (DA) is in section 6's text."""
