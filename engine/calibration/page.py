"""The calibration as the report shows it, from what a reproduction found."""

from dpa.engine.calibration.measures import ATTACK, MEASURES, REFERENCES
from dpa.engine.calibration.preset import preset_of
from dpa.engine.calibration.scale import Calibration, Reading, calibrate
from dpa.engine.report.findings import Findings, Measured


def calibration_of(findings: Findings) -> Calibration | None:
    """Every network's readings on scales whose ends are the reference networks; None where no network is
    one of them. A reference is known by what its checkpoint says it is."""
    named = {_name(one): one for one in (*findings.references, *findings.networks)}
    if not set(REFERENCES) & set(named):
        return None
    return calibrate({name: _reading(one) for name, one in named.items()})


def _name(network: Measured) -> str:
    framework = network.role.framework
    return framework if framework in REFERENCES else network.title


def _reading(network: Measured) -> Reading:
    attack = {measure.key: network.attack.results.get(measure.key) for measure in MEASURES}
    values = {
        measure.key: attack[measure.key] if measure.stage == ATTACK else network.summary.get(measure.key)
        for measure in MEASURES
    }
    folders = {measure.stage: measure.stage for measure in MEASURES} | {ATTACK: f"attack-by-{network.name}"}
    commands = {
        stage: network.commands[folder]
        for stage, folder in sorted(folders.items())
        if folder in network.commands
    }
    return Reading(values, commands, preset_of(network.spec))
