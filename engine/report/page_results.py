"""results.json of a reproduction: every figure of the page by name."""

from typing import Any

from dpa.engine.attack.summary import data_note
from dpa.engine.report.calibration import calibration_of
from dpa.engine.report.figures import page_figures
from dpa.engine.report.findings import Findings, NetworkFindings
from dpa.engine.report.page_tables import measures_of
from dpa.engine.report.verdicts import all_verdicts
from dpa.engine.runs.results import ReproduceResults, versioned


def page_results(findings: Findings) -> dict[str, Any]:
    """frameworks.NAME.FIGURE, and what tells how they came about. None stands for a figure without a finite
    value; a framework that is missing has no entry but the command that builds it."""
    calibration = calibration_of(findings)
    told = {
        "frameworks": {one.name: _figures(one, findings) for one in findings.networks},
        "titles": {one.title: one.name for one in findings.networks},
        "missing": {one["name"]: one["command"] for one in findings.missing},
        "further": {one.name: dict(one.summary) for one in findings.networks},
        "predictions": {one.name: dict(one.predictions) for one in findings.networks},
        "commands": {one.name: _commands(one, findings) for one in findings.networks},
        "calibration": None if calibration is None else calibration.as_json(),
        "verdicts": all_verdicts(findings, [spec for spec, _ in page_figures(findings)]),
        "data": findings.note["data"],
        "data_note": data_note(findings.source),
        "device": findings.note["device"],
        "versions": findings.note["versions"],
        "seconds": {stage["path"]: stage["seconds"] for stage in findings.note["stages"]},
    }
    return versioned(ReproduceResults, told)


def _figures(network: NetworkFindings, findings: Findings) -> dict[str, float | None]:
    """The figures of one network that the page's summary shows."""
    return {
        key: measure.find(network.results_of(stage))
        for key, (stage, measure) in measures_of(findings).items()
        if measure.summary
    }


def _commands(network: NetworkFindings, findings: Findings) -> dict[str, str]:
    """The command that prints each of them."""
    return {
        key: network.commands[stage]
        for key, (stage, measure) in measures_of(findings).items()
        if measure.summary
    }
