"""bench kernels: its rows, its ratios and its command run; no time is asserted."""

import json

import typer
from typer.testing import CliRunner

from dpa.bench.composite_crop import ratios
from dpa.engine.cli.bench import kernels


def test_json_has_every_contender_view_and_batch():
    app = typer.Typer()
    app.command()(kernels)
    done = CliRunner().invoke(app, ["--json", "--batch", "1", "--batch", "2", "--seconds", "0.01"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    seen = {(row["name"], row["view"], row["batch"]) for row in found["rows"]}
    views = ("localiser", "encoder")
    assert seen == {(n, v, b) for n in ("fused", "two-step") for v in views for b in (1, 2)}
    assert len(found["ratios"]) == 4
    assert all(row["samples_per_s"] > 0 and row["gb_per_s"] > 0 for row in found["rows"])
    assert found["command"].startswith("dpa-engine bench kernels --batch 1 --batch 2")


def test_a_ratio_is_samples_per_second_over_samples_per_second():
    rows = [
        {"name": "two-step", "view": "v", "batch": 2, "samples_per_s": 50.0},
        {"name": "fused", "view": "v", "batch": 2, "samples_per_s": 400.0},
    ]
    assert ratios(rows) == {"fused/two-step, v, batch 2": 8.0}
