"""IOB(I, A) and IOB(I, P) of Table 3 for a study."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch.nn import functional as F

from dpa.engine.analysis.codes import crops_of
from dpa.engine.analysis.iob_training import Iob, IobConfig, information_over_bias
from dpa.engine.analysis.measures import CSSL, DRNET, NSD, Measure, Scale
from dpa.engine.analysis.registry import Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study
from dpa.engine.analysis.values import Cell, Table, number, table, words
from dpa.engine.drawing.grid import Shown
from dpa.engine.drawing.style import INK, PALETTE, blank_figure, plain

AUTHORS, OURS = "authors' decoder", "without last norm"
ENDINGS = {AUTHORS: "", OURS: "_without_last_norm"}
"""What the names of figures end in, by the kind of decoder."""

CODES = {"A": "appearance", "P": "pose"}


def run(study: Study, progress: Progress) -> Outcome:
    """I is the encoder's input: the crop. Both codes on the same pictures, clips and seeds."""
    config = study.config.iob
    pictures = crops_of(study.network, study.store, study.sample)
    if config.size is not None:
        pictures = F.interpolate(pictures, (config.size, config.size), mode="bilinear", antialias=True)
    codes = {"A": study.sample.appearance, "P": study.sample.pose}
    clips = study.store.sequence[study.sample.rows]
    kinds = {AUTHORS: True, OURS: False} if config.both_ends else {AUTHORS: True}
    results: dict[str, dict[str, Iob]] = {}
    for before, (kind, last_norm) in enumerate(kinds.items()):

        def report(done: int, total: int, before: int = before) -> None:
            progress(before * total + done, len(kinds) * total)

        results[kind] = information_over_bias(pictures, codes, clips, config, last_norm, report)
    return Outcome(
        iob_summary(results),
        {"iob": iob_table(results, config, len(pictures), pictures.shape[-1])},
        {
            f"{code}{ENDINGS[kind]}": iob.values
            for kind, codes_of_kind in results.items()
            for code, iob in codes_of_kind.items()
        },
    )


def iob_summary(results: Mapping[str, Mapping[str, Iob]]) -> dict[str, float]:
    """Figures for results.json: iob_appearance, iob_pose, their spread, and both without the last norm."""
    values = {}
    for kind, ending in ENDINGS.items():
        for code, iob in results.get(kind, {}).items():
            values[f"iob_{CODES[code]}{ending}"] = iob.mean
            values[f"iob_{CODES[code]}{ending}_spread"] = iob.spread
    return values


def iob_table(results: Mapping[str, Mapping[str, Iob]], config: IobConfig, pictures: int, side: int) -> Table:
    """A line for each code and decoder."""
    rows = [
        [
            words(f"IOB(I, {code}), {kind}"),
            number(iob.mean, 3),
            number(iob.spread, 3),
            Cell(digits=3, interval=(float(iob.values.min()), float(iob.values.max()))),
            number(float(iob.bias_mse.mean()), 4),
            number(float(iob.code_mse.mean()), 4),
        ]
        for kind, codes in results.items()
        for code, iob in codes.items()
    ]
    return table(
        "iob",
        "Information over bias (Table 3)",
        ("measure", "mean", "spread", "range", "error of ones", "error of the code"),
        rows,
        f"{config.seeds} seeds, {config.epochs} epochs, {pictures} crops of {side}², a share of"
        f" {config.train_share:g} of the clips for training; spread: standard deviation between seeds. The"
        " last instance normalisation gives every picture one mean and contrast, and so hides global colour.",
    )


def iob_figure(networks: Sequence[Shown], images: bool) -> Figure:
    """A dot for each seed and a bar for the mean, for each network, code and kind of decoder."""
    there = [one for one in networks if one.arrays]
    lines = [
        (f"{one.title}, IOB(I, {code})\n{kind}", colour, one.arrays[code + ending])
        for one in there
        for colour, (kind, ending) in zip(PALETTE, ENDINGS.items(), strict=False)
        for code in CODES
        if code + ending in one.arrays
    ]
    figure = blank_figure(6, 0.6 + 0.45 * len(lines))
    axis = figure.subplots()
    for place, (_, colour, values) in enumerate(lines):
        axis.plot([values.mean()] * 2, [place - 0.3, place + 0.3], color=colour, lw=2)
        axis.scatter(values, np.full(len(values), place), s=22, color=colour, alpha=0.7, lw=0)
    axis.axvline(1, color=INK, lw=1, ls="--")
    axis.text(1, -0.7, " no better than a constant", va="center", fontsize=7, color=INK)
    axis.set(yticks=range(len(lines)), yticklabels=[name for name, _, _ in lines], xlabel="IOB")
    axis.set_ylim(len(lines) - 0.5, -1)
    plain(axis)
    return figure


ANALYSIS = Analysis(
    name="iob",
    title="information over bias",
    run=run,
    reads=("samples", "iob"),
    slow=True,
    measures=(
        Measure(
            "iob_appearance", "IOB(I, A)", digits=2, better="higher", null="above 1",
            paper={NSD: 0.79, DRNET: 0.90, CSSL: 0.95}, paper_table=3,
        ),
        Measure(
            "iob_pose", "IOB(I, P)", digits=2, better="higher", null="above 1", scale=Scale(0.1, 2),
            paper={NSD: 1.15, DRNET: 1.08, CSSL: 1.29}, paper_table=3,
        ),
    ),
    figures=(
        FigureSpec(
            "iob",
            "Information over bias, seed by seed",
            iob_figure,
            "How many times smaller the error of a decoder is that is fed the code, than of one that is fed"
            " a constant: a dot for each seed, a bar for their mean. At 1 the code is no better.",
            file="iob",
        ),
    ),
)  # fmt: skip
