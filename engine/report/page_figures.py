"""Every figure of the page: the paper's ten, and those it has not, with captions and the commands behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from matplotlib.figure import Figure

from dpa.engine.report.drawings import attacks, codes, synthesis
from dpa.engine.report.drawings.schema import schema_figure
from dpa.engine.report.findings import Findings, NetworkFindings

Draw = Callable[[Findings, Sequence[str], bool], Figure | None]

CAPTIONS = Path(__file__).parent / "page/captions.yaml"

PLAIN = ("DRNet", "CSSL", "NSD")
"""The paper's networks, in the order of its Figure 2."""

AUGMENTED = ("CSSL", "CSSL (DA)")


@dataclass(frozen=True)
class FigureSpec:
    """key: its id and file name, and its caption's name. number: the paper's, None beyond it. titles: the
    paper's networks in it. stages: whose commands print it. frames: whether it shows frames when
    images are allowed."""

    key: str
    number: int | None
    title: str
    draw: Draw
    titles: tuple[str, ...] = PLAIN
    stages: tuple[str, ...] = ()
    frames: bool = False
    section: str = "synthesis"

    @property
    def caption(self) -> str:
        """What stands below it."""
        return captions()[self.key]


@cache
def captions() -> dict[str, str]:
    """Captions by key."""
    found: dict[str, str] = yaml.safe_load(CAPTIONS.read_text())
    return found


FIGURES = (
    FigureSpec(
        "fig1", 1, "Disentanglement-based representation learning",
        schema_figure, stages=("predict",), frames=True, section="paper",
    ),
    FigureSpec(
        "fig2", 2, "Synthesising novel images",
        synthesis.swap_figure, stages=("swap",), frames=True,
    ),
    FigureSpec(
        "fig3", 3, "Replacing the appearance code with a fixed zero vector",
        synthesis.zero_groups_figure, stages=("zero",), frames=True,
    ),
    FigureSpec(
        "fig4", 4, "t-SNE of appearance codes",
        codes.tsne_figure, stages=("tsne",), section="codes",
    ),
    FigureSpec(
        "fig5", 5, "Detecting appearance channels in the pose code",
        codes.channels_figure, stages=("channels",), frames=True, section="codes",
    ),
    FigureSpec(
        "fig6", 6, "Influence of the pose code's channels",
        codes.sweep_figure, stages=("sweep",), frames=True, section="codes",
    ),
    FigureSpec(
        "fig7", 7, "Appearance-only attack examples",
        attacks.examples_figure, stages=("snapshots",), frames=True, section="attack",
    ),
    FigureSpec(
        "fig8", 8, "Synthesising novel images with CSSL (DA)",
        synthesis.swap_figure, titles=AUGMENTED, stages=("swap",), frames=True, section="augmentation",
    ),
    FigureSpec(
        "fig9", 9, "t-SNE of the appearance codes of CSSL (DA)",
        codes.tsne_figure, titles=("CSSL (DA)",), stages=("tsne",), section="augmentation",
    ),
    FigureSpec(
        "fig10", 10, "Zero appearance vectors with CSSL (DA)",
        synthesis.zero_rows_figure, titles=AUGMENTED, stages=("zero",), frames=True, section="augmentation",
    ),
    FigureSpec(
        "shifts", None, "What moves the pose",
        attacks.shifts_figure, stages=("counterfactual", "swap"), section="beyond",
    ),
    FigureSpec(
        "nulls", None, "Distance correlation beside its null",
        attacks.null_figure, stages=("dc",), section="beyond",
    ),
    FigureSpec(
        "sweepcurves", None, "Figure 6 in numbers",
        codes.sweep_curves_figure, stages=("sweep",), section="beyond",
    ),
    FigureSpec(
        "progress", None, "Error against iteration",
        attacks.progress_figure, stages=("attack",), section="beyond",
    ),
    FigureSpec(
        "joints", None, "Which joints move",
        attacks.joints_figure, stages=("attack",), section="beyond",
    ),
    FigureSpec(
        "change", None, "Error against appearance change",
        attacks.change_figure, stages=("attack",), section="beyond",
    ),
)  # fmt: skip


def networks_of(spec: FigureSpec, findings: Findings) -> list[NetworkFindings]:
    """Whose figures it shows."""
    if spec.section in ("beyond", "attack", "paper"):
        return list(findings.networks)
    return [one for _, one, _ in synthesis.chosen(findings, spec.titles) if one is not None]


def commands_of_figure(spec: FigureSpec, findings: Findings) -> list[str]:
    """What prints its numbers, network by network."""
    told = []
    for one in networks_of(spec, findings):
        stages = (f"attack-by-{one.name}" if stage == "attack" else stage for stage in spec.stages)
        told += [one.commands[stage] for stage in stages]
    return list(dict.fromkeys(told))


def missing_of(spec: FigureSpec, findings: Findings) -> list[str]:
    """Commands that build the networks of the paper's figure that are missing."""
    return [one["command"] for one in findings.missing if one["title"] in spec.titles]
