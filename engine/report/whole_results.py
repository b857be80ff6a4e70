"""results.json of a reproduction: every figure of the page by name."""

from collections.abc import Mapping
from typing import Any

from dpa.engine.attack.summary import data_note
from dpa.engine.calibration.page import calibration_of
from dpa.engine.report.findings import Findings, NetworkFindings

FROM_ANALYSES: Mapping[str, str] = {
    "dc": "dc",
    "dcor": "dc",
    "dc_null_p95": "dc",
    "iob_appearance": "iob",
    "iob_pose": "iob",
    "swap_pose_shift_mm": "swap",
    "knn_action_from_appearance": "tsne",
    "knn_subject_from_pose": "tsne",
    "counterfactual_pose_shift_mm": "counterfactual",
}
"""Figures that analyses find, and which."""

FROM_ATTACK: Mapping[str, str] = {
    "initial_mm": "mpjpe_initial_mm",
    "final_mm": "mpjpe_final_mm",
    "success_rate": "success_rate",
}
"""Figures of a network's own attack, and what its results call them."""

IMAGE = ("ssim", "psnr_db", "mse")


def whole_results(findings: Findings) -> dict[str, Any]:
    """frameworks.NAME.FIGURE, and what tells how they came about. None stands for a figure without a finite
    value; a framework that is missing has no entry but the command that builds it."""
    calibration = calibration_of(findings)
    return {
        "frameworks": {one.name: framework_results(one) for one in findings.networks},
        "titles": {one.title: one.name for one in findings.networks},
        "missing": {one["name"]: one["command"] for one in findings.missing},
        "further": {one.name: dict(one.summary) for one in findings.networks},
        "predictions": {one.name: dict(one.predictions) for one in findings.networks},
        "commands": {one.name: commands_of(one) for one in findings.networks},
        "calibration": None if calibration is None else calibration.as_json(),
        "data": findings.note["data"],
        "data_note": data_note(findings.source),
        "device": findings.note["device"],
        "versions": findings.note["versions"],
        "seconds": {stage["path"]: stage["seconds"] for stage in findings.note["stages"]},
    }


def framework_results(network: NetworkFindings) -> dict[str, float | None]:
    """The figures of one network that the page's summary shows."""
    attack = network.attack.results
    values = {name: network.summary.get(name) for name in FROM_ANALYSES}
    values |= {name: attack[key] for name, key in FROM_ATTACK.items()}
    return values | {name: attack["image"][name] for name in IMAGE}


def commands_of(network: NetworkFindings) -> dict[str, str]:
    """The command that prints each of `framework_results`' figures."""
    told = {name: network.commands[stage] for name, stage in FROM_ANALYSES.items()}
    return told | {name: network.commands[f"attack-by-{network.name}"] for name in (*FROM_ATTACK, *IMAGE)}
