"""From readings on known cases to a verdict on every instrument: pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from dpa.engine.analysis.table import Table, table
from dpa.engine.calibration.measures import ENTANGLED, MEASURES, ORACLE, REFERENCES, SILHOUETTE, Measure


@dataclass(frozen=True)
class Reading:
    """What the measures say of one network. values: by Measure.key, absent where it was not taken. commands:
    what prints each again, by Measure.stage. preset: its sizes, where they are known."""

    values: Mapping[str, float | None]
    commands: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None

    def of(self, measure: Measure) -> float | None:
        """The finite value, else None."""
        value = self.values.get(measure.key)
        return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Line:
    """One measure. values: by network. places: where each network lies between the ends, 0 as the silhouette
    and 1 as the entangled one; None where the measure is not known to be informative. separation: entangled
    less silhouette, counted in the direction that it should have. informative: None where an end is
    missing."""

    measure: Measure
    values: Mapping[str, float | None]
    places: Mapping[str, float | None]
    separation: float | None
    informative: bool | None
    verdict: str


@dataclass(frozen=True)
class Calibration:
    """networks: in the order of the columns. lines: a measure each. commands: by network and stage. presets:
    by network, where known."""

    networks: tuple[str, ...]
    lines: tuple[Line, ...]
    commands: Mapping[str, Mapping[str, str]]
    presets: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> Table:
        """A line a measure, a column a network, the verdict last."""
        rows = [
            [
                line.measure.title,
                *(_cell(line, name) for name in self.networks),
                line.verdict,
            ]
            for line in self.lines
        ]
        return table(
            "Calibration: what each measure reads on known cases",
            ("measure", *self.networks, "verdict"),
            rows,
            f"The ends of every scale: {SILHOUETTE} (appearance cannot reach the pose) and {ENTANGLED} (a"
            f" plain autoencoder); {ORACLE} learnt from true re-dressed pairs. In brackets, where a measure"
            " tells the ends apart, the place between them, 100 % being the entangled end. A measure that"
            f" does not is uninformative, whatever it reads elsewhere.{self._sizes()}",
        )

    def _sizes(self) -> str:
        """Which networks have which sizes, where they differ."""
        presets = list(dict.fromkeys(self.presets.values()))
        if len(presets) < 2:
            return ""
        told = (
            f"{preset}: {', '.join(name for name, its in self.presets.items() if its == preset)}"
            for preset in presets
        )
        return f" Networks of different sizes: {'; '.join(told)}."

    def command_table(self) -> Table:
        """Which command prints the cells of a column."""
        rows = [
            [stage, name, command]
            for name in self.networks
            for stage, command in self.commands.get(name, {}).items()
        ]
        return table("Commands of the cells", ("measures of", "network", "command"), rows)

    def as_json(self) -> dict[str, object]:
        """Plain values, for calibration.json."""
        return {
            "networks": list(self.networks),
            "commands": {name: dict(told) for name, told in self.commands.items()},
            "presets": dict(self.presets),
            "measures": [
                {
                    **asdict(line.measure),
                    "values": dict(line.values),
                    "places": dict(line.places),
                    "separation": line.separation,
                    "informative": line.informative,
                    "verdict": line.verdict,
                }
                for line in self.lines
            ],
        }


def calibrate(readings: Mapping[str, Reading], measures: Sequence[Measure] = MEASURES) -> Calibration:
    """readings: by network; the known cases by their names in REFERENCES, any others beside them. Measures
    that were taken of no network have no line."""
    known = [name for name in REFERENCES if name in readings]
    networks = (*known, *(name for name in readings if name not in known))
    lines = [_line(measure, readings, networks) for measure in measures]
    return Calibration(
        networks,
        tuple(line for line in lines if any(value is not None for value in line.values.values())),
        {name: dict(readings[name].commands) for name in networks},
        {name: preset for name in networks if (preset := readings[name].preset) is not None},
    )


def _line(measure: Measure, readings: Mapping[str, Reading], networks: Sequence[str]) -> Line:
    values = {name: readings[name].of(measure) for name in networks}
    low, high = values.get(SILHOUETTE), values.get(ENTANGLED)
    nowhere: dict[str, float | None] = dict.fromkeys(networks)
    if low is None or high is None:
        absent = " and ".join(name for name in (SILHOUETTE, ENTANGLED) if values.get(name) is None)
        return Line(measure, values, nowhere, None, None, f"not known: no reading of {absent}")
    separation = (high - low) * (1 if measure.rises else -1)
    if separation >= measure.resolution:
        places = {
            name: None if value is None else (value - low) / (high - low) for name, value in values.items()
        }
        return Line(measure, values, places, separation, True, "tells them apart")
    if separation <= -measure.resolution:
        return Line(measure, values, nowhere, separation, False, "uninformative: the wrong way round")
    within = measure.text(measure.resolution)
    return Line(measure, values, nowhere, separation, False, f"uninformative: the ends lie within {within}")


def _cell(line: Line, name: str) -> str:
    text, place = line.measure.text(line.values[name]), line.places[name]
    return text if place is None or name in (SILHOUETTE, ENTANGLED) else f"{text} ({100 * place:.0f} %)"
