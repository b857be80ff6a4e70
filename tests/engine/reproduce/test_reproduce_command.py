"""`dpa-engine reproduce` from one end to the other: two untrained networks on the planted people."""

import json

import matplotlib
import pytest
import torch
import typer
from typer.testing import CliRunner

from dpa.engine.cli.reproduce import report, reproduce
from dpa.engine.report.figures import page_figures
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.reproduce.plan import plan
from dpa.engine.reproduce.run import reproduce as carry_out
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.regressor import Regressor
from dpa.models.training.checkpoint import save_network

FAST = (
    "attack.max_steps=2", "attacked=8", "crossed=4", "samples=24", "pool=48", "pairs=4", "sweep_pairs=2",
    "sweep_step=6", "permutations=5", "shown=1", "iob.epochs=1", "iob.seeds=1", "iob.batch=32",
    "iob.both_ends=false", "references=[]",
)  # fmt: skip


@pytest.fixture
def command(tmp_path, tiny_sizes, planted, planted_outfits, monkeypatch):
    """(arguments) → the outcome of reproduce or report on two saved networks."""
    torch.manual_seed(0)
    for framework in ("nsd", "cssl"):
        network = DisentangledNetwork(tiny_sizes, framework)
        network.regressor = Regressor(tiny_sizes)
        save_network(network, tmp_path / framework, {})
    monkeypatch.setattr(
        "dpa.engine.report.page.page_figures",
        lambda findings: [one for one in page_figures(findings) if one[0].key in ("fig1", "fig7")],
    )
    monkeypatch.setattr(
        "dpa.engine.analysis.analyses.counterfactual.counterfactual_stores",
        lambda progress=None: planted_outfits,
    )
    monkeypatch.setattr("dpa.export.cached_pose.cached_pose_session", lambda network: network.predict)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(reproduce)
    app.command("report")(report)
    given = ["--frameworks", f"nsd={tmp_path / 'nsd'},mine={tmp_path / 'cssl'},nsd-no-swap"]
    given += ["--data", str(planted.store.path), "--device", "cpu"]
    given += [word for setting in FAST for word in ("--set", setting)]

    def run(name, *arguments):
        with matplotlib.rc_context({"savefig.dpi": 40}):
            words = given if name == "reproduce" else []
            return CliRunner().invoke(app, [name, *map(str, arguments), *words])

    return run


def test_everything_is_done_once_and_lands_on_the_page(command, tmp_path):
    out = tmp_path / "whole"
    outcome = command("reproduce", "--out", out, "--json")
    assert outcome.exit_code == 0, outcome.output
    results = json.loads(outcome.stdout)
    assert results == json.loads((out / "results.json").read_text())
    assert list(results["frameworks"]) == ["nsd", "mine"]
    assert results["missing"] == {"nsd-no-swap": "dpa-engine zoo build nsd-no-swap"}
    for name, values in results["frameworks"].items():
        attack = json.loads((out / f"stages/{name}/attack-by-{name}/results.json").read_text())
        assert attack["n"] == 8 and values["final_mm"] == attack["mpjpe_final_mm"]
        dc = json.loads((out / f"stages/{name}/dc/analyses/dc.json").read_text())
        assert values["dc"] == dc["dc"] and values["dc_null_p95"] == dc["dc_null_p95"]
    crossed = json.loads((out / "stages/mine/attack-by-nsd/results.json").read_text())
    assert crossed["n"] == 4 and crossed["generator"] == str(tmp_path / "nsd")
    page = (out / "report.html").read_text()
    assert "mine, ours" in page and "dpa-engine zoo build nsd-no-swap" in page
    assert "The people are synthetic" not in page  # what the store says of itself, not a constant

    stamps = {path: path.stat().st_mtime_ns for path in (out / "stages").rglob("*") if path.is_file()}
    again = command("reproduce", "--out", out)
    assert "0 stages done, 24 reused" in again.stdout
    assert stamps == {path: path.stat().st_mtime_ns for path in (out / "stages").rglob("*") if path.is_file()}

    bare = command("report", out, "--no-images")
    assert bare.exit_code == 0, bare.output
    assert "data-frames" not in (out / "report.html").read_text()
    assert "<image" not in (out / "figures/fig7.svg").read_text()


def test_dry_run_shows_what_quick_means(command, tmp_path):
    outcome = command("reproduce", "--quick", "--dry-run", "--out", tmp_path / "none")
    assert "max_steps: 2" in outcome.stdout and "permutations: 5" in outcome.stdout  # --set wins
    assert not (tmp_path / "none").exists()


def test_a_killed_attack_goes_on_sample_by_sample(tmp_path, tiny_sizes, planted, monkeypatch):
    torch.manual_seed(0)
    network = DisentangledNetwork(tiny_sizes, "nsd")
    network.regressor = Regressor(tiny_sizes)
    save_network(network, tmp_path / "nsd", {})
    monkeypatch.setattr("dpa.engine.reproduce.run.plan", lambda *given: plan(*given)[1:2])
    settings = {"frameworks": (f"nsd={tmp_path / 'nsd'}",), "source": planted.store.path, "attacked": 48}
    config = ReproduceConfig(**settings, references=(), attack={"max_steps": 1, "batch": 2}, device="cpu")
    finished = []

    def kill(number, count, stage, reused, done, total):
        finished.append(done)
        if total == 48 and done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(config, planted.store, tmp_path / "out", progress=kill)
    assert 0 < max(finished) < 48
    later = []
    done = carry_out(config, planted.store, tmp_path / "out", progress=lambda *told: later.append(told[4:]))
    assert done.made == 1 and next(one for one in later if one[1] == 48) == (max(finished), 48)
    results = json.loads((tmp_path / "out/stages/nsd/attack-by-nsd/results.json").read_text())
    assert results["n"] == 48
