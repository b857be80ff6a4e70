"""Schemas of results: what they ask for is there, and files that lack it are refused."""

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.engine.runs.results import SCHEMAS, AttackResults, versioned

ATTACK = {
    "target": "zoo:nsd", "generator": "zoo:nsd", "n": 2, "seed": 0, "min_error_mm": 175.0, "max_steps": 5,
    "success_rate": 0.5, "mpjpe_ground_truth_mm": None, "mpjpe_initial_mm": 30.0, "mpjpe_final_mm": 180.0,
    "iterations": {"mean": 3.0, "p50": 3.0, "p90": 3.0, "max": 3},
    "per_subject": {"S1": {"n": 2, "initial_mm": 30.0, "final_mm": 180.0, "success_rate": 0.5}},
    "image": {"ssim": 0.9, "psnr_db": None, "mse": 0.01}, "throughput": {"samples_per_s": 1.0},
    "device": "cpu", "versions": {"python": "3"},
}  # fmt: skip


def printed(name):
    done = CliRunner().invoke(app, ["schema", name])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one_and_asks_for_its_version(name):
    found = printed(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert "schema_version" in found["required"] and found["description"]


def test_results_are_checked_by_another_reader_of_the_schema():
    told = versioned(AttackResults, ATTACK | {"later": [1]})
    assert told == {"schema_version": 1, **ATTACK, "later": [1]}
    jsonschema.validate(told, printed("attack"))
    with pytest.raises(jsonschema.ValidationError, match="success_rate"):
        jsonschema.validate({**told, "success_rate": "high"}, printed("attack"))
    with pytest.raises(jsonschema.ValidationError, match="schema_version"):
        jsonschema.validate(ATTACK, printed("attack"))


def test_values_of_another_form_are_never_written():
    with pytest.raises(ValueError, match="per_subject"):
        versioned(AttackResults, {**ATTACK, "per_subject": None})


def test_an_unknown_name_is_refused():
    done = CliRunner().invoke(app, ["schema", "nobody"])
    assert done.exit_code == 2 and "attack" in done.stderr
