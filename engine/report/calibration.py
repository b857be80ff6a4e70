"""From readings on known cases to a verdict on every measure: pure functions, and the table that shows it."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from dpa.engine.analysis.measures import ENTANGLED, ORACLE, REFERENCES, SILHOUETTE, Measure, Scale
from dpa.engine.analysis.values import Cell, Table, number, table, words
from dpa.engine.report.findings import Findings, Measured
from dpa.engine.report.renderers import markdown_rows, text, to_markdown
from dpa.engine.runs.results import CalibrationResults, versioned
from dpa.models.errors import InputError
from dpa.models.frameworks.foreign import is_foreign
from dpa.models.training.checkpoint import network_folder, read_config

Measures = Mapping[str, Sequence[Measure]]
"""By the stage that takes them, ATTACK or an analysis."""


@dataclass(frozen=True)
class Reading:
    """What the measures say of one network. values: by Measure.key, absent where it was not taken. commands:
    what prints each again, by stage. preset: its sizes, where they are known."""

    values: Mapping[str, float | None]
    commands: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None

    def of(self, measure: Measure) -> float | None:
        """The finite value, else None."""
        value = self.values.get(measure.key)
        return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Line:
    """One measure of one stage. values: by network. places: where each network lies between the ends, 0 as
    the silhouette and 1 as the entangled one; None where the measure is not known to be informative.
    separation: entangled less silhouette, counted in the direction that it should have. informative: None
    where an end is missing."""

    stage: str
    measure: Measure
    scale: Scale
    values: Mapping[str, float | None]
    places: Mapping[str, float | None]
    separation: float | None
    informative: bool | None
    verdict: str

    @property
    def title(self) -> str:
        """As the table names it."""
        return replace(self.measure, better="").heading

    def cell(self, name: str) -> Cell:
        """The reading of one network, its place between the ends beside it."""
        place = self.places[name]
        aside = (
            None if place is None or name in (SILHOUETTE, ENTANGLED) else number(place, 0, "%", named=True)
        )
        key = self.measure.key
        return number(
            self.values[name], self.scale.digits, self.measure.unit, key=key, network=name, aside=aside
        )


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
            [words(line.title), *(line.cell(name) for name in self.networks), words(line.verdict)]
            for line in self.lines
        ]
        return table(
            "calibration",
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
            (stage, name, command)
            for name in self.networks
            for stage, command in self.commands.get(name, {}).items()
        ]
        return table("commands", "Commands of the cells", ("measures of", "network", "command"), rows)

    def markdown(self) -> str:
        """The table, and under it the command of each cell; commands that differ in the network's name in the
        zoo alone are one line, with zoo:NAME."""
        made = self.table()
        commands = markdown_rows(("measures", "networks", "command"), self.command_rows(), prose=True)
        return f"{to_markdown(made)}\n{made.note}\n\n{commands}"

    def command_rows(self) -> list[tuple[str, str, str]]:
        """(titles of the measures, names of the networks, the command that prints these cells)."""
        titles: dict[str, list[str]] = defaultdict(list)
        for line in self.lines:
            titles[line.stage].append(line.title)
        rows = []
        for stage, measures in titles.items():
            alike: dict[str, list[str]] = defaultdict(list)
            for name, told in self.commands.items():
                if stage in told:
                    alike[told[stage].replace(f"zoo:{name}", "zoo:NAME")].append(name)
            for general, some in alike.items():
                whose = "all" if len(some) == len(self.networks) > 1 else ", ".join(some)
                command = self.commands[some[0]][stage] if len(some) == 1 else general
                rows.append((", ".join(measures), whose, f"`{command}`"))
        return rows

    def as_json(self) -> dict[str, object]:
        """Plain values, for calibration.json."""
        told = {
            "networks": list(self.networks),
            "commands": {name: dict(told) for name, told in self.commands.items()},
            "presets": dict(self.presets),
            "measures": [
                {
                    "key": line.measure.key,
                    "title": line.title,
                    "stage": line.stage,
                    "unit": line.measure.unit,
                    **asdict(line.scale),
                    "values": dict(line.values),
                    "places": dict(line.places),
                    "separation": line.separation,
                    "informative": line.informative,
                    "verdict": line.verdict,
                }
                for line in self.lines
            ],
        }
        return versioned(CalibrationResults, told)


def calibrate(readings: Mapping[str, Reading], measures: Measures) -> Calibration:
    """readings: by network; the known cases by their names in REFERENCES, any others beside them. Measures
    without a scale, and those that were taken of no network, have no line."""
    known = [name for name in REFERENCES if name in readings]
    networks = (*known, *(name for name in readings if name not in known))
    lines = [
        _line(stage, measure, measure.scale, readings, networks)
        for stage, some in measures.items()
        for measure in some
        if measure.scale is not None
    ]
    return Calibration(
        networks,
        tuple(line for line in lines if any(value is not None for value in line.values.values())),
        {name: dict(readings[name].commands) for name in networks},
        {name: preset for name in networks if (preset := readings[name].preset) is not None},
    )


def _line(
    stage: str, measure: Measure, scale: Scale, readings: Mapping[str, Reading], networks: Sequence[str]
) -> Line:
    values = {name: readings[name].of(measure) for name in networks}
    low, high = values.get(SILHOUETTE), values.get(ENTANGLED)
    nowhere: dict[str, float | None] = dict.fromkeys(networks)
    if low is None or high is None:
        absent = " and ".join(name for name in (SILHOUETTE, ENTANGLED) if values.get(name) is None)
        verdict = f"not known: no reading of {absent}"
        return Line(stage, measure, scale, values, nowhere, None, None, verdict)
    separation = (high - low) * (1 if scale.rises else -1)
    if separation >= scale.resolution:
        places = {
            name: None if value is None else (value - low) / (high - low) for name, value in values.items()
        }
        return Line(stage, measure, scale, values, places, separation, True, "tells them apart")
    if separation <= -scale.resolution:
        verdict = "uninformative: the wrong way round"
    else:
        within = text(number(scale.resolution, scale.digits, measure.unit))
        verdict = f"uninformative: the ends lie within {within}"
    return Line(stage, measure, scale, values, nowhere, separation, False, verdict)


def calibration_of(findings: Findings) -> Calibration | None:
    """Every network's readings on scales whose ends are the reference networks; None where no network is
    one of them. A reference is known by what its checkpoint says it is."""
    named = {_name(one): one for one in (*findings.references, *findings.networks)}
    if not set(REFERENCES) & set(named):
        return None
    measures = findings.measures
    return calibrate({name: _reading(one, measures) for name, one in named.items()}, measures)


def _name(network: Measured) -> str:
    framework = network.role.framework
    return framework if framework in REFERENCES else network.title


def _reading(network: Measured, measures: Measures) -> Reading:
    scaled = {stage: [one for one in some if one.scale is not None] for stage, some in measures.items()}
    values = {
        measure.key: measure.find(network.results_of(stage))
        for stage, some in scaled.items()
        for measure in some
    }
    commands = {stage: network.commands[stage] for stage in scaled if network.commands.get(stage)}
    return Reading(values, commands, preset_of(network.spec))


def preset_of(spec: str) -> str | None:
    """At which sizes a network was trained: a scale's ends may be smaller than what is read on it. None for a
    framework of the user's own, and where the checkpoint is gone."""
    if is_foreign(spec):
        return None
    try:
        return read_config(network_folder(spec)).network.preset
    except InputError:
        return None
