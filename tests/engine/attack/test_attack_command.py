"""`dpa-engine attack` from one end to the other on a tiny network and a tiny store."""

import json
from importlib import import_module

import numpy as np
import pytest
import torch
import typer
import yaml
from typer.testing import CliRunner

from dpa.engine.attack.config import AttackConfig, AttackRunConfig
from dpa.engine.cli.attack import attack
from dpa.engine.report.attack_runs import read_run
from dpa.engine.report.attack_tables import all_tables
from dpa.engine.reproduce.config import QUICK, ReproduceConfig
from dpa.engine.runs.directory import RunDirectory
from dpa.models.config import BadValue, load_config, to_yaml
from dpa.models.training.checkpoint import load_network, save_network

KEYS = {
    "schema_version": None,
    "target": None,
    "generator": None,
    "n": None,
    "seed": None,
    "min_error_mm": None,
    "max_steps": None,
    "success_rate": None,
    "mpjpe_ground_truth_mm": None,
    "mpjpe_initial_mm": None,
    "mpjpe_final_mm": None,
    "iterations": {"mean", "p50", "p90", "max"},
    "per_subject": {"S1", "S5", "S11"},
    "image": {"ssim", "psnr_db", "mse"},
    "throughput": {"samples_per_s", "sample_iterations_per_s"},
    "method": {"optimiser", "step_size", "backend"},
    "device": None,
    "versions": None,
}
"""What the issue that asked for the command fixes, and which method made the figures."""


@pytest.fixture
def run_command(tiny_world, tiny_store, tmp_path, monkeypatch):
    """(arguments) → the command's outcome, on a saved tiny network and the tiny store."""
    save_network(tiny_world(1, torch.float32).network, tmp_path / "network", {})
    commanded = import_module("dpa.engine.api.attack")  # the package offers a function of this name
    monkeypatch.setattr(commanded, "cached_pose_session", lambda network: network.predict)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(attack)
    given = [str(tiny_store.path), "--target", str(tmp_path / "network"), "--device", "cpu"]
    given += ["--min-error", "80", "--step-size", "0.1"]

    def run(*arguments, backend="eager"):
        """backend: auto may pick another one each time between steps of a tiny network."""
        step = ["--backend", backend] if backend else []
        return CliRunner().invoke(app, [*given, *step, *map(str, arguments)])

    return run


def test_json_has_exactly_the_agreed_keys(run_command, tmp_path):
    outcome = run_command(
        "--json", "--samples", 9, "--batch", 4, "--max-steps", 12, "--out", tmp_path / "run"
    )
    assert outcome.exit_code == 0, outcome.output
    results = json.loads(outcome.stdout)
    assert set(KEYS) <= set(results)
    for name, inner in KEYS.items():
        assert inner is None or set(results[name]) == inner, name
    for row in results["per_subject"].values():
        assert set(row) == {"n", "initial_mm", "final_mm", "success_rate"}
    assert results == json.loads((tmp_path / "run/results.json").read_text())


def test_results_follow_from_the_rows(run_command, tmp_path, tiny_store):
    """Every mean that is printed is a mean over the table of samples, and that over stored pictures."""
    run_command("--json", "--samples", 9, "--batch", 4, "--max-steps", 12, "--out", tmp_path / "run")
    run = RunDirectory.open(tmp_path / "run")
    results, samples, pictures = (
        run.read_json("results.json"),
        run.read_shards("samples.parquet"),
        run.read_shards("adversarial"),
    )
    assert results["n"] == len(samples["index"]) == 9
    assert results["success_rate"] == pytest.approx(samples["success"].mean())
    assert results["iterations"]["p90"] == pytest.approx(np.percentile(samples["iterations"], 90))
    truth = np.linalg.norm(samples["initial_pose"] - tiny_store.poses[samples["index"]], axis=-1).mean()
    assert results["mpjpe_ground_truth_mm"] == pytest.approx(truth, rel=1e-5)
    for subject, row in results["per_subject"].items():
        here = samples["subject"] == subject
        assert row["n"] == 3
        assert row["final_mm"] == pytest.approx(samples["final_error_mm"][here].mean(), rel=1e-6)
    assert pictures["index"].tolist() == samples["index"].tolist()
    change = pictures["adversarial"] / 255 - pictures["synthesised"] / 255
    np.testing.assert_allclose(samples["mse"], (change**2).mean(axis=(1, 2, 3)), rtol=1e-9, atol=1e-12)
    network = load_network(str(tmp_path / "network"))
    with torch.no_grad():
        frames = torch.from_numpy(pictures["adversarial"]).permute(0, 3, 1, 2).float() / 255
        error = np.linalg.norm(network.predict(frames).numpy() - samples["initial_pose"], axis=-1).mean(-1)
    np.testing.assert_allclose(samples["final_error_mm"], error, atol=1e-2)


def test_a_second_run_with_the_same_seed_gives_the_same_results(run_command, tmp_path):
    printed = []
    for name in ("first", "second"):
        results = json.loads(
            run_command("--json", "--samples", 6, "--max-steps", 5, "--out", tmp_path / name).stdout
        )
        printed.append({key: value for key, value in results.items() if key != "throughput"})
    assert printed[0] == printed[1]


def test_without_a_back_end_the_fastest_is_taken_and_named(run_command, tmp_path, caplog):
    outcome = run_command("--json", "--samples", 2, "--max-steps", 1, "--out", tmp_path / "run", backend="")
    method = json.loads(outcome.stdout)["method"]
    assert f"step: {method['backend']}, the fastest in a short warm-up" in caplog.text
    assert method == {"optimiser": "polyak", "step_size": 0.1, "backend": method["backend"]}
    assert f"polyak at 0.1, step back-end {method['backend']}" in (tmp_path / "run/report.md").read_text()


def test_one_default_attack_and_the_papers_protocol_for_tables():
    command = load_config(AttackRunConfig)
    assert command.model_dump(include=set(AttackConfig.model_fields)) == AttackConfig().model_dump()
    assert (AttackConfig().optimiser, AttackConfig().backend) == ("polyak", "auto")
    paper = AttackConfig(protocol="paper")
    assert (paper.optimiser, paper.step_size, paper.backend) == ("adam", 0.5, "eager")
    quick = ReproduceConfig.model_validate(dict(QUICK)).attack
    for tables in (ReproduceConfig().attack, quick):
        assert tables == paper.having(batch=tables.batch, max_steps=tables.max_steps)


def test_a_new_optimiser_brings_its_step_size_whatever_an_earlier_source_said(tmp_path):
    file = tmp_path / "config.resolved.yaml"
    file.write_text(to_yaml(AttackRunConfig()))
    assert load_config(AttackRunConfig, file).step_size == 6
    assert load_config(AttackRunConfig, file, ["optimiser=adam"]).step_size == 0.5
    assert load_config(AttackRunConfig, file, (), {"optimiser": "sign"}).step_size == 0.25
    assert load_config(AttackRunConfig, file, ["step_size=2", "optimiser=adam"]).step_size == 2
    assert load_config(AttackRunConfig, file, ["optimiser=adam"], {"step_size": 2.0}).step_size == 0.5
    assert load_config(AttackRunConfig, file, (), {"optimiser": "polyak"}).step_size == 6
    assert load_config(AttackRunConfig, file, (), {"protocol": "paper"}).backend == "eager"
    assert AttackConfig(optimiser="adam", step_size=2).having(optimiser="sgd").step_size == 1


def test_what_contradicts_the_protocol_is_refused(run_command):
    outcome = run_command("--protocol", "paper", "--dry-run")
    assert "protocol paper has step_size 0.5, and 0.1 is asked for" in str(outcome.exception)


def test_a_person_reads_a_table_its_protocol_and_where_the_report_is(run_command, tmp_path):
    outcome = run_command("--samples", 3, "--max-steps", 2, "--out", tmp_path / "run")
    assert outcome.exit_code == 0, outcome.output
    for word in ("S11", "all", "root-relative", "no alignment", "figures measure this network", "report.md"):
        assert word in outcome.stdout, word
    assert (tmp_path / "run/report.md").is_file()


def test_frames_without_true_poses_are_attacked_and_the_words_say_so(run_command, tmp_path, tiny_store):
    """As imported films come: poses are NaN."""
    np.memmap(tiny_store.path / "poses.f32", dtype=np.float32, mode="r+")[:] = np.nan
    outcome = run_command("--samples", 6, "--max-steps", 3, "--out", tmp_path / "run")
    assert outcome.exit_code == 0, outcome.output
    assert "prediction against true pose: these data hold no true poses\n" in outcome.stdout
    assert "nan" not in outcome.stdout.lower()
    run = RunDirectory.open(tmp_path / "run")
    results = json.loads((run.path / "results.json").read_text(), parse_constant=pytest.fail)
    assert results["mpjpe_ground_truth_mm"] is None
    assert results["mpjpe_initial_mm"] > 0 and results["mpjpe_final_mm"] > 0
    page = (run.path / "report.md").read_text()
    assert "which cannot be compared with a true pose: these data hold none." in page
    assert "– mm" not in page and "nan" not in page.lower()
    assert all_tables([read_run(run.path)])


def test_dry_run_prints_settings_that_can_be_read_back(run_command, tmp_path):
    outcome = run_command(
        "--dry-run", "--optimiser", "sign", "--subjects", "S1,S5", "--out", tmp_path / "run"
    )
    settings = yaml.safe_load(outcome.stdout)
    assert settings["subjects"] == ["S1", "S5"]
    assert (settings["optimiser"], settings["min_error_mm"], settings["batch"]) == ("sign", 80, 256)
    assert settings["generator"] == settings["target"]
    assert not (tmp_path / "run").exists()


def test_sweep_prints_one_row_a_step_size(run_command):
    outcome = run_command("--sweep", "--json", "--samples", 2, "--max-steps", 2)
    rows = json.loads(outcome.stdout)["rows"]
    assert [row["step_size"] for row in rows] == [1.0, 2.0, 3.0, 4.0, 6.0]
    assert all(0 <= row["success_rate"] <= 1 and row["p50"] <= 2 for row in rows)


def test_an_unknown_optimiser_is_named(run_command):
    outcome = run_command("--optimiser", "lbfgs")
    assert isinstance(outcome.exception, BadValue)
    assert "optimiser" in str(outcome.exception)


def test_only_the_subjects_asked_for_are_attacked(run_command, tmp_path):
    results = json.loads(
        run_command("--json", "--subjects", "S5", "--max-steps", 1, "--out", tmp_path / "run").stdout
    )
    assert list(results["per_subject"]) == ["S5"]
    assert results["n"] == 8
