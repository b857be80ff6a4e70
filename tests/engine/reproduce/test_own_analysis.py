"""One module with a new analysis takes part in analyze, reproduce, the calibration and the page."""

import csv
import json
import sys
from pathlib import Path

import matplotlib
import pytest
import torch
from typer.testing import CliRunner

from dpa.engine.analysis.registry import NotAnAnalysis, analysis_of
from dpa.engine.cli.app import app
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.foreign import NoSuchFramework
from dpa.models.networks.regressor import Regressor
from dpa.models.training.checkpoint import save_network

MODULE = """
import numpy as np
from dpa.engine import Analysis, FigureSpec, Measure, Outcome, Scale
from dpa.engine.analysis.values import number, table
from dpa.engine.drawing.style import Bars, bar_panels
from dpa.models.config import Config

class Options(Config):
    power: int = 1

def run(study, progress):
    power = study.options("loudness", Options).power
    size = float((study.pool.pose.abs() ** power).mean())
    made = table("loudness", "How loud the pose code is", ("n", "size"), [[number(48, 0), number(size, 4)]])
    return Outcome({"loudness": size}, {"loudness": made}, {"size": np.array([size])})

def draw(networks, images):
    return bar_panels([Bars({one.title: float(one.arrays["size"][0]) for one in networks}, 0, "size")], ["k"] * 9)

def loudness():
    return Analysis(
        name="loudness", title="loudness of the pose code", run=run, reads=("pool",), options=Options,
        measures=(Measure("loudness", "how loud the pose code is", digits=4, scale=Scale(1e-9, 4)),),
        figures=(FigureSpec("loudness", "How loud", draw, "A bar a network, drawn by a test.", file="loudness"),),
    )

def swap():
    return Analysis(name="swap", title="a name that is taken", run=run)

def number_of():
    return 3
"""  # noqa: E501
SPEC = "mine_of_the_test:loudness"
FEW = ("attack.max_steps=1", "attack.batch=4", "attacked=4", "crossed=2", "pool=16", "samples=8", "shown=1")


@pytest.fixture
def workplace(tmp_path, tiny_sizes, planted, monkeypatch):
    """A folder with the module in it, and saved networks that play the two ends and a third."""
    (tmp_path / "mine_of_the_test.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_of_the_test", raising=False)
    analysis_of.cache_clear()
    torch.manual_seed(0)
    for name in ("silhouette", "entangled", "nsd"):
        network = DisentangledNetwork(tiny_sizes, "nsd")
        network.regressor = Regressor(tiny_sizes)
        save_network(network, tmp_path / name, {})
    monkeypatch.setattr("dpa.export.cached_pose.cached_pose_session", lambda network: network.predict)
    yield tmp_path
    analysis_of.cache_clear()


@pytest.fixture
def call(workplace, planted):
    def run(*words):
        with matplotlib.rc_context({"savefig.dpi": 40}):
            return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)

    return run


def test_it_is_found_everywhere(call, planted, workplace):
    data = ("--data", planted.store.path, "--device", "cpu")
    analyzed = call(
        "analyze", SPEC, "--network", workplace / "nsd", *data, "--pool", 16, "--out", "a", "--json"
    )
    assert analyzed.exit_code == 0, analyzed.output
    found = json.loads(analyzed.stdout)["summary"]["loudness"]
    assert found > 0 and Path("a/figures/loudness.png").is_file() and Path("a/tables/loudness.csv").is_file()

    few = [word for setting in FEW for word in ("--set", setting)]
    networks = f"nsd={workplace / 'nsd'}"
    page = call("reproduce", "--frameworks", networks, "--no-calibration", "--analyses", SPEC, *data, *few,
                "--out", "page", "--json")  # fmt: skip
    assert page.exit_code == 0, page.output
    told = json.loads(page.stdout)
    assert told["frameworks"]["nsd"]["loudness"] == found
    assert told["commands"]["nsd"]["loudness"].startswith(f"dpa-engine analyze {SPEC} --network")
    lines = Path("page/tables/summary.csv").read_text().splitlines()
    rows = {row["figure"]: row for row in csv.DictReader(lines)}
    assert rows["how loud the pose code is"]["NSD, ours"] == f"{found:.4f}"
    html = Path("page/report.html").read_text()
    assert 'data-figure="loudness"' in html and '<figure id="loudness">' in html

    ends = [f"{name}={workplace / name}" for name in ("silhouette", "entangled")]
    missing = f"oracle-swap={workplace / 'nsd'}"
    scale = call("zoo", "calibrate", *ends, missing, "--stages", SPEC, *data, *few, "--out", "c", "--json")
    assert scale.exit_code == 0, scale.output
    (line,) = json.loads(scale.stdout)["measures"]
    assert line["key"] == "loudness" and line["values"]["oracle-swap"] == found

    analysis_of.cache_clear()
    again = call("report", "page")
    assert again.exit_code == 0 and "is left out" in Path("page/report.html").read_text()
    assert "loudness" not in json.loads(Path("page/results.json").read_text())["frameworks"]["nsd"]
    call("report", "page", "--analysis", SPEC)
    assert 'data-figure="loudness"' in Path("page/report.html").read_text()


def test_its_options_are_its_own(call, planted, workplace):
    given = ("analyze", SPEC, "--network", workplace / "nsd", "--data", planted.store.path, "--pool", 16)
    once, twice = (
        json.loads(call(*given, "--set", f"options.loudness.power={power}", "--out", power, "--json").stdout)
        for power in (1, 2)
    )
    assert once["summary"]["loudness"] != twice["summary"]["loudness"]
    wrong = CliRunner().invoke(app, [*map(str, given), "--set", "options.loudness.pover=2"])
    assert wrong.exit_code == 2 and "'power'" in wrong.stderr
    nobody = CliRunner().invoke(app, [*map(str, given), "--set", "options.swap.power=2"])
    assert nobody.exit_code == 2 and "'swap'" in nobody.stderr


@pytest.mark.parametrize(("name", "told"), [("swap", "taken"), ("number_of", "a int")])
def test_what_is_no_analysis_is_named(workplace, name, told):
    with pytest.raises(NotAnAnalysis, match=told):
        analysis_of(f"mine_of_the_test:{name}")


def test_what_is_not_there_is_named(workplace):
    with pytest.raises(NoSuchFramework, match="no callable 'absent'"):
        analysis_of("mine_of_the_test:absent")
