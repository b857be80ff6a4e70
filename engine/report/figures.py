"""Every figure of the page: those of the analyses, and those of the attack; whose they are, and what prints
their numbers."""

from dpa.engine.analysis.claims import Claim, beyond
from dpa.engine.analysis.measures import ATTACK, ATTACK_MEASURES, CSSL_DA, NSD
from dpa.engine.analysis.registry import PLAIN, FigureSpec
from dpa.engine.drawing import attacks
from dpa.engine.drawing.grid import Shown
from dpa.engine.drawing.schema import schema_figure
from dpa.engine.report.findings import SNAPSHOTS, Findings, NetworkFindings

OF_ATTACKS = (
    FigureSpec(
        "fig1",
        "Disentanglement-based representation learning",
        schema_figure,
        "An encoder E splits the crop of a person into an appearance code h_a and a pose code h_p. The"
        " decoder D must rebuild the reference frame from its own pose code and the appearance code of"
        " another view or time. A regressor φ then reads the 3D pose from the pose code alone.",
        number=1,
        frames=True,
        section="paper",
        stage=SNAPSHOTS,
    ),
    FigureSpec(
        "fig7",
        "Appearance-only attack examples",
        attacks.examples_figure,
        "(a) input, (b) reconstruction by the generator, (c) attacked frame, (d) true pose, (e) the network's"
        " pose on the input, (f) its pose on the attacked frame, with (e) pale behind it and the error in mm."
        " Left side blue, right side orange.",
        number=7,
        claim=Claim(
            "small changes of appearance lead to a completely different pose",
            "more than half of the attacks succeed",
            beyond("success_rate", 0.5, PLAIN, unit="%"),
        ),
        frames=True,
        section="attack",
        stage=SNAPSHOTS,
    ),
    FigureSpec(
        "shifts",
        "What moves the pose",
        attacks.shifts_figure,
        "The same body, motion and camera rendered in other clothes: how far the pose really moves under a"
        " true change of appearance; beside it another's appearance code, the reconstruction alone, and the"
        " attack. Possible only because the data are generated.",
        stage=ATTACK,
    ),
    FigureSpec(
        "progress",
        "Error against iteration",
        attacks.progress_figure,
        "Best error so far: median and middle half of the samples; and the share above the threshold.",
        stage=ATTACK,
    ),
    FigureSpec(
        "joints",
        "Which joints move",
        attacks.joints_figure,
        "Mean distance of each joint between the pose on the input and on the attacked frame.",
        stage=ATTACK,
    ),
    FigureSpec(
        "change",
        "Error against appearance change",
        attacks.change_figure,
        "A point for each attacked sample: how far its picture and its code moved, and its error.",
        stage=ATTACK,
    ),
)
"""What no analysis makes: of the attack, and of the attack that can be watched."""

PAPERS = (*PLAIN, CSSL_DA)


def page_figures(findings: Findings) -> list[tuple[FigureSpec, str]]:
    """Every figure with the stage whose results it shows: the paper's in its order, then the others."""
    found = [(spec, one.name) for one in findings.analyses for spec in one.figures]
    found += [(spec, spec.stage) for spec in OF_ATTACKS]
    return sorted(found, key=lambda one: one[0].number or 99)


def shown(spec: FigureSpec, stage: str, findings: Findings) -> list[Shown]:
    """The networks of a figure as it shows them: the paper's by name, in order, those that are missing with
    what to do; where NSD is among them, the networks that the paper has not as well. Empty where none of them
    is there."""
    found = []
    for title, network in chosen(spec, findings):
        if network is None:
            found.append(Shown(title, missing=f"missing: {_commands_of_missing(findings)[title]}"))
        elif arrays := network.arrays.get(stage):
            attack = {one.key: one.find(network.attack.results) for one in ATTACK_MEASURES}
            attack["min_error_mm"] = network.attack.results["min_error_mm"]
            found.append(Shown(network.title, {**network.summary, **attack}, arrays))
    return found if any(one.arrays for one in found) else []


def chosen(spec: FigureSpec, findings: Findings) -> list[tuple[str, NetworkFindings | None]]:
    """(title, network, None where it is missing) of a figure. Those of the attack are of every network."""
    if spec.stage:
        return [(one.title, one) for one in findings.networks]
    missing = _commands_of_missing(findings)
    found: list[tuple[str, NetworkFindings | None]] = []
    for title in spec.titles:
        network = findings.playing(title)
        if network is not None or title in missing:
            found.append((title if network is None else network.title, network))
    if NSD in spec.titles:
        played = {one.name for title in PAPERS if (one := findings.playing(title)) is not None}
        found += [(one.title, one) for one in findings.networks if one.name not in played]
    return found


def commands_of_figure(spec: FigureSpec, stage: str, findings: Findings) -> list[str]:
    """What prints its numbers, network by network."""
    told = [one.commands.get(stage, "") for _, one in chosen(spec, findings) if one is not None]
    return [command for command in dict.fromkeys(told) if command]


def missing_of(spec: FigureSpec, findings: Findings) -> list[str]:
    """Commands that build the networks of the paper's figure that are missing."""
    return [one["command"] for one in findings.missing if one["title"] in spec.titles]


def _commands_of_missing(findings: Findings) -> dict[str, str]:
    return {one["title"]: one["command"] for one in findings.missing}
