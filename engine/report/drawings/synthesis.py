"""Figures 2, 3, 8 and 10: pictures from exchanged and from zeroed appearance codes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dpa.engine.analysis.figures.style import PALETTE, TEXT, blank_figure
from dpa.engine.report.drawings.grid import SIDE, Bars, Line, bar_panels, fill_grid, picture_grid
from dpa.engine.report.findings import Findings, NetworkFindings

PEOPLE = 3
"""Subjects of each network in Figure 3, as the paper has it."""

ACROSS = 3
"""Networks side by side in Figure 3, as the paper has it; more stand below."""


def swap_figure(findings: Findings, titles: Sequence[str], images: bool = True) -> Figure | None:
    """titles: the paper's names of the networks, in the order of the rows; networks that the paper has not
    follow them. None where none is there."""
    lines = chosen(findings, titles)
    there = [network for _, network, _ in lines if network is not None]
    if not there:
        return None
    if not images:
        return _swap_bars(there)
    arrays = there[0].arrays["swap"]
    source, donor = (_one(arrays[name].tolist()) for name in ("sources", "donors"))
    rows = [
        Line(f"pose from\n{source}", arrays["source"]),
        Line(f"appearance\nfrom {donor}", arrays["donor"]),
        *(
            Line(title, None if network is None else network.arrays["swap"]["swapped"], told)
            for title, network, told in lines
        ),
    ]
    return picture_grid(rows, ())


def zero_groups_figure(findings: Findings, titles: Sequence[str], images: bool = True) -> Figure | None:
    """Figure 3: for each network PEOPLE subjects; rows: own code, zero, mean."""
    there = [network for _, network, _ in chosen(findings, titles) if network is not None]
    if not there:
        return None
    if not images:
        return _zero_bars(there)
    width = PEOPLE * SIDE
    across = min(len(there), ACROSS)
    down = -(-len(there) // across)
    figure = blank_figure(0.75 + width * across, (3 * SIDE + 0.75) * down, gap=0.012)
    groups = figure.subfigures(
        down, across, squeeze=False, width_ratios=[width + 0.75, *[width] * (across - 1)]
    )
    for number, network in enumerate(there):
        group, arrays = groups.flat[number], network.arrays["zero"]
        people = np.unique(np.linspace(0, len(arrays["subjects"]) - 1, PEOPLE).round().astype(int))
        names = ("original", "zero", "mean code") if number % across == 0 else ("",) * 3
        kinds = ("own", "zero", "mean")
        lines = [Line(name, arrays[kind][people]) for name, kind in zip(names, kinds, strict=True)]
        fill_grid(group, lines, arrays["subjects"][people].tolist(), len(people))
        group.suptitle(network.title, **TEXT)
    return figure


def zero_rows_figure(findings: Findings, titles: Sequence[str], images: bool = True) -> Figure | None:
    """Figure 10: the originals of the first network, then each network's pictures from a zero code."""
    lines = chosen(findings, titles)
    there = [network for _, network, _ in lines if network is not None]
    if not there:
        return None
    if not images:
        return _zero_bars(there)
    first = there[0].arrays["zero"]
    rows = [Line(f"{there[0].title},\noriginal", first["own"])]
    for title, network, told in lines:
        rows.append(
            Line(f"{title},\nzero", None if network is None else network.arrays["zero"]["zero"], told)
        )
    return picture_grid(rows, first["subjects"].tolist())


def chosen(findings: Findings, titles: Sequence[str]) -> list[tuple[str, NetworkFindings | None, str]]:
    """(title, network or None, what to do where it is None) for the paper's networks by name, in order; then,
    where NSD is among them, the networks that the paper has not."""
    commands = {one["title"]: f"missing: {one['command']}" for one in findings.missing}
    found: list[tuple[str, NetworkFindings | None, str]] = []
    for title in titles:
        network = findings.playing(title)
        if network is not None or title in commands:
            found.append((title if network is None else network.title, network, commands.get(title, "")))
    if "NSD" in titles:
        played = {one.name for title in PAPERS for one in [findings.playing(title)] if one is not None}
        found += [(one.title, one, "") for one in findings.networks if one.name not in played]
    return found


PAPERS = ("DRNet", "CSSL", "NSD", "CSSL (DA)")


def _one(names: list[str]) -> str:
    """The name where it is the same for all; otherwise a word."""
    return names[0] if len(set(names)) == 1 else "one"


def _swap_bars(networks: Sequence[NetworkFindings]) -> Figure:
    colours = {one.title: 100 * (one.summary["swap_colours_moved"] or 0) for one in networks}
    shifts = {one.title: one.summary["swap_pose_shift_mm"] or 0 for one in networks}
    panels = [Bars(colours, 100, "colours moved to the donor's (%)"), Bars(shifts, 0, "pose moved (mm)")]
    return bar_panels(panels, PALETTE)


def _zero_bars(networks: Sequence[NetworkFindings]) -> Figure:
    labels = {"zero": "zero code: variance between people left (%)", "mean": "mean code: the same (%)"}
    panels = []
    for kind, label in labels.items():
        key = f"{kind}_subject_variance_left"
        panels.append(Bars({one.title: 100 * (one.summary[key] or 0) for one in networks}, 0, label))
    return bar_panels(panels, PALETTE)
