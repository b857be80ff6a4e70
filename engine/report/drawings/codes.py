"""Figures 4, 5, 6 and 9: what is in the codes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from dpa.engine.analysis.figures.style import MUTED, PALETTE, TEXT, blank_figure, plain
from dpa.engine.analysis.figures.tsne import scatter
from dpa.engine.report.drawings.grid import Line, fill_grid, show
from dpa.engine.report.drawings.synthesis import chosen
from dpa.engine.report.findings import Arrays, Findings, NetworkFindings

RED = "#d22d2d"
MARKED = {"lowest": 500, "highest": 200}
"""The K that the paper puts a red box around, by the order of replacement."""

STRIP = 7
"""Pictures of a strip in Figure 6."""


def tsne_figure(findings: Findings, titles: Sequence[str], images: bool = True) -> Figure | None:
    """Appearance codes of one subject by action, and pose codes by subject, for each network."""
    there = present(findings, titles)
    if not there:
        return None
    figure = blank_figure(10.5, 3.9 * len(there))
    for (left, right), one in zip(figure.subplots(len(there), 2, squeeze=False), there, strict=True):
        arrays = one.arrays["tsne"]
        scatter(left, arrays["appearance_map"], arrays["actions"])
        scatter(right, arrays["pose_map"], arrays["subjects"])
        subject = str(arrays["subject"])
        what = (f"appearance codes of {subject}, by action", "pose codes, by person")
        for axis, codes, label in zip((left, right), what, ("action", "subject"), strict=True):
            axis.set_title(f"{one.title}: {codes}\n{_told(one, label)}", **TEXT)
    return figure


def _told(one: NetworkFindings, what: str) -> str:
    name = "knn_action_from_appearance" if what == "action" else "knn_subject_from_pose"
    parts = [one.summary.get(name + ending) for ending in ("", "_low", "_high", "_chance")]
    found, low, high, chance = (100 * (part or 0) for part in parts)
    return f"neighbours tell it in {found:.0f} % ({low:.0f} to {high:.0f}), chance {chance:.0f} %"


def channels_figure(findings: Findings, titles: Sequence[str], images: bool = True) -> Figure | None:
    """Left: two people in a similar pose. Right: sorted absolute difference of their pose codes."""
    there = present(findings, titles)
    if not there:
        return None
    figure = blank_figure(9.5 if images else 8, 2.6 * len(there))
    for group, one in zip(figure.subfigures(len(there), 1, squeeze=False)[:, 0], there, strict=True):
        arrays = one.arrays["channels"]
        if images:
            left, right = group.subfigures(1, 2, squeeze=False, width_ratios=(1.35, 2.4))[0]
            pictures = zip(left.subplots(1, 2), arrays["pictures"], arrays["subjects"].tolist(), strict=True)
            for axis, picture, name in pictures:
                show(axis, picture)
                axis.set_title(name, pad=3, **TEXT)
            _differences(right.subplots(), one.title, arrays)
        else:
            _differences(group.subplots(), one.title, arrays)
    return figure


def _differences(axis: Axes, title: str, arrays: Arrays) -> None:
    between, within = arrays["between"], arrays["within"]
    for values in between:
        axis.plot(np.sort(values)[::-1], color=MUTED, lw=0.5, alpha=0.35)
    axis.plot(np.sort(between[0])[::-1], color=PALETTE[4], lw=1.6, label="the two people shown")
    for colour, (name, values, line) in zip(
        PALETTE,
        (("two people, mean", between, "-"), ("one person, two clips, mean", within, "--")),
        strict=False,
    ):
        axis.plot(np.sort(values, axis=1)[:, ::-1].mean(axis=0), line, color=colour, lw=2, label=name)
    axis.legend(frameon=False, fontsize=8)
    axis.set(xlim=(0, between.shape[1] - 1), ylim=(0, None), ylabel="|difference|")
    axis.set_xlabel(f"channels of {title}'s pose code, by difference")
    plain(axis)


def sweep_figure(findings: Findings, titles: Sequence[str], images: bool = True) -> Figure | None:
    """A, the pictures in between, B; red boxes where the paper has them. Without images the curves."""
    there = present(findings, titles)
    if not there:
        return None
    if not images:
        return sweep_curves_figure(findings, titles)
    figure = blank_figure(11.5, 2.75 * len(there), gap=0.015)
    for group, one in zip(figure.subfigures(len(there), 1, squeeze=False)[:, 0], there, strict=True):
        group.suptitle(one.title, x=0.012, ha="left", weight="bold", **TEXT)
        _strips(group, one.arrays["sweep"])
    return figure


def _strips(group: SubFigure, arrays: Arrays) -> None:
    ks = arrays["ks"]
    shown = np.unique(np.linspace(0, len(ks) - 1, STRIP).round().astype(int))
    left, middle, right = group.subfigures(1, 3, squeeze=False, width_ratios=(1.25, STRIP + 1.2, 1.25))[0]
    for part, picture, name in zip((left, right), arrays["ends"], ("A", "B"), strict=True):
        axis = part.subplots()
        show(axis, picture)
        axis.set_title(name, **TEXT)
    lines = [Line(f"K {order}", arrays[f"{order}_strip"][shown]) for order in MARKED]
    axes = fill_grid(middle, lines, [f"K = {ks[place]}" for place in shown], len(shown))
    for row, wanted in zip(axes, MARKED.values(), strict=True):
        axis = row[int(np.abs(ks[shown] - wanted).argmin())]
        box = Rectangle((0, 0), 1, 1, transform=axis.transAxes, fill=False, ec=RED, lw=3, clip_on=False)
        axis.add_patch(box)


def sweep_curves_figure(findings: Findings, titles: Sequence[str], images: bool = True) -> Figure | None:
    """Mean distances to A and to B against K: poses left, colours right, a row for each network."""
    there = present(findings, titles)
    if not there:
        return None
    figure = blank_figure(9, 2.5 * len(there))
    kinds = (("pose", "pose distance (mm)"), ("colour", "colour distance (ΔE)"))
    for row, one in zip(figure.subplots(len(there), 2, squeeze=False), there, strict=True):
        arrays = one.arrays["sweep"]
        for axis, (what, unit) in zip(row, kinds, strict=True):
            for order, style in (("lowest", "-"), ("highest", "--")):
                for end, colour in zip("ab", PALETTE, strict=False):
                    label = f"{order} first, to {end.upper()}"
                    values = arrays[f"{order}_{what}_to_{end}"]
                    axis.plot(arrays["ks"], values, style, color=colour, lw=1.8, label=label)
            axis.set(ylabel=unit, ylim=(0, None), xlim=(0, arrays["ks"][-1]))
            axis.set_xlabel(f"K channels of {one.title} replaced by B's")
            plain(axis)
        row[0].legend(frameon=False, fontsize=7)
    return figure


def present(findings: Findings, titles: Sequence[str]) -> list[NetworkFindings]:
    """The networks with weights among the paper's by name, and those the paper has not."""
    return [network for _, network, _ in chosen(findings, titles) if network is not None]
