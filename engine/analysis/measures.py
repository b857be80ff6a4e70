"""Measures: the figures that say how far pose and appearance are disentangled, and what an attack finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpa.engine.analysis.values import Cell, Interval, number, printed

NSD, DRNET, CSSL, CSSL_DA = "NSD", "DRNet", "CSSL", "CSSL (DA)"
"""The paper's networks as it calls them."""

SILHOUETTE, ENTANGLED, ORACLE = "silhouette", "entangled", "oracle-swap"
"""The known cases: appearance cannot reach the pose; nothing keeps the codes apart; as disentangled as
supervision can make it. The first two are the ends of every scale."""

REFERENCES = (SILHOUETTE, ENTANGLED, ORACLE)


@dataclass(frozen=True)
class Scale:
    """How a measure stands in the calibration. resolution: the smallest difference between the two known ends
    that counts, in the measure's own unit (the project's choice: several times what other seeds and samples
    change). digits: how readings are printed there. rises: whether more of it means more entangled codes."""

    resolution: float
    digits: int = 1
    rises: bool = True


@dataclass(frozen=True)
class Measure:
    """One figure of an analysis, or of the attack.

    key: its name in the results; results may hold KEY_low and KEY_high beside it (a 95 % interval) and
    KEY_spread (a standard deviation). at: where it is in them, where that is not `key`: names joined by dots.
    unit: "%" (a share, printed times 100), "mm", "dB". better: "lower" or "higher", which of them the paper
    takes for more disentangled; "" where that is no question. null: what disentangled codes would give, in
    words. scale: its place in the calibration, None where it has none. paper: the paper's figures by the
    names of its networks, paper_table: where they stand. summary: whether the page's first table has it.
    """

    key: str
    title: str
    unit: str = ""
    digits: int = 1
    better: str = ""
    null: str = ""
    scale: Scale | None = None
    paper: Mapping[str, float] = field(default_factory=dict)
    paper_table: int | None = None
    summary: bool = True
    at: str = ""

    @property
    def heading(self) -> str:
        """Title, unit and the direction of more disentangled codes."""
        arrow = {"": "", "lower": " ↓", "higher": " ↑"}[self.better]
        return f"{self.title} ({self.unit}){arrow}" if self.unit else f"{self.title}{arrow}"

    def find(self, results: Mapping[str, Any]) -> float | None:
        """Its value in results, None where it was not taken or is not finite."""
        return _at(results, self.at or self.key)

    def interval(self, results: Mapping[str, Any]) -> Interval | None:
        """Its 95 % interval, None where none is known."""
        low, high = (_at(results, f"{self.at or self.key}_{end}") for end in ("low", "high"))
        return None if low is None or high is None else (low, high)

    def cell(self, results: Mapping[str, Any], network: str = "", command: str = "") -> Cell:
        """Ours, as the page shows it."""
        return number(
            self.find(results),
            self.digits,
            self.unit,
            interval=self.interval(results),
            spread=_at(results, f"{self.at or self.key}_spread"),
            key=self.key,
            network=network,
            command=command,
        )

    def paper_cell(self, title: str) -> Cell:
        """The paper's as printed; empty where it has none."""
        return printed(self.paper.get(title), min(self.digits, 2), self.unit)


def _at(results: Mapping[str, Any], path: str) -> float | None:
    value: Any = results
    for name in [path] if path in results else path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and value == value else None  # noqa: PLR0124


ATTACK = "attack"
"""The stage that the measures of the attack belong to."""

ATTACK_MEASURES = (
    Measure("initial_mm", "error before the attack", "mm", at="mpjpe_initial_mm"),
    Measure(
        "final_mm", "error after the attack", "mm", null="as before", scale=Scale(20.0),
        at="mpjpe_final_mm",
    ),
    Measure(
        "success_rate", "attacks that succeed", "%", null="0", scale=Scale(0.1, 0),
    ),
    Measure(
        "survives_jpeg", "attacks that succeed after JPEG at 90", "%", null="0", at="survives.jpeg_90",
    ),
    Measure(
        "survives_blur", "attacks that succeed after a blur of 0.7 px", "%", null="0", at="survives.blur_0_7",
    ),
    Measure("bones_final", "length of the bones after the attack, before = 1", digits=2, null="1"),
    Measure("silhouette_psnr_db", "PSNR inside the silhouette", "dB", 2, at="similarity.silhouette.psnr_db"),
    Measure("box_psnr_db", "PSNR inside the box", "dB", 2, at="similarity.box.psnr_db"),
    Measure("ssim", "SSIM of attacked frames", digits=3, at="image.ssim"),
    Measure("psnr_db", "PSNR of attacked frames", "dB", digits=2, at="image.psnr_db"),
    Measure("mse", "MSE of attacked frames", digits=4, at="image.mse"),
)  # fmt: skip
"""Of a network's own attack, in what `dpa-engine attack` writes into results.json."""


def keys_of(measures: Sequence[Measure]) -> tuple[str, ...]:
    """Their names in results.json."""
    return tuple(measure.key for measure in measures)
