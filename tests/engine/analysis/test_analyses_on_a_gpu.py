"""Every analysis on a device that is not the CPU, and beside them the regressor and PyTorch sessions."""

import json

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.engine.sessions.protocol import TorchSession
from dpa.export.graphs import build_graph
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.regressor import Regressor
from dpa.models.training.checkpoint import save_network
from dpa.models.training.regressor_fit import RegressorConfig, fit_regressor, pose_codes

FAST = ("iob.epochs=1", "iob.seeds=1", "iob.size=16", "iob.batch=32", "permutations=9", "sweep_step=2")
CHAOTIC = ("iob", "tsne", "knn", "null")
"""Parts of names of figures that training, ties or draws carry away from a rounding's difference."""


@pytest.fixture
def network(tiny_sizes):
    torch.manual_seed(0)
    made = DisentangledNetwork(tiny_sizes, "nsd")
    made.regressor = Regressor(tiny_sizes)
    made.regressor.std.fill_(200.0)
    nn.init.normal_(made.localiser.readout.weight, std=0.05)
    return made.eval()


def test_analyses_give_the_cpus_figures(network, planted, planted_outfits, stand_in, tmp_path, monkeypatch):
    save_network(network, tmp_path / "network", {})
    monkeypatch.setattr(
        "dpa.engine.analysis.analyses.counterfactual.counterfactual_stores",
        lambda progress=None: planted_outfits,
    )
    words = ["analyze", "--network", str(tmp_path / "network"), "--data", str(planted.store.path)]
    words += ["--samples", "24", "--pool", "48", *(word for one in FAST for word in ("--set", one))]
    summaries = []
    for device in ("cpu", "standin"):
        out = tmp_path / device
        result = CliRunner().invoke(app, [*words, "--device", device, "--out", str(out)])
        assert result.exit_code == 0, result.output
        summaries.append(json.loads((out / "results.json").read_text())["summary"])
    here, there = summaries
    steady = {name for name in here if not any(part in name for part in CHAOTIC)}
    assert len(steady) >= 4
    for name in sorted(steady):
        if here[name] is not None:
            assert there[name] == pytest.approx(here[name], rel=2e-3, abs=2e-3), name


def test_the_regressor_is_fitted_as_on_the_cpu(network, planted, stand_in):
    store, errors = planted.store, {}
    state = {name: value.clone() for name, value in network.state_dict().items()}
    for device in (torch.device("cpu"), stand_in):
        network.load_state_dict(state)
        placed = network.to(device)
        heard = []
        labelled = pose_codes(placed, store, store.select())
        config = RegressorConfig(steps=5, batch=8)
        fit_regressor(placed, labelled, config, lambda step, error, heard=heard: heard.append(error))
        errors[device.type] = heard[-1]
    assert errors["standin"] == pytest.approx(errors["cpu"], rel=0.05), (
        "dropout draws alike, roundings differ"
    )


@pytest.mark.parametrize("name", ["pose", "encode", "regress"])
def test_a_session_and_its_graph_give_the_cpus_outputs(network, stand_in, name):
    dice = torch.Generator().manual_seed(1)
    graph = build_graph(network, name)
    feeds = {}
    for spec in graph.inputs:
        shape = [3, 3, 40, 40] if spec.name == "frames" else [size or 3 for size in spec.shape]
        feeds[spec.name] = torch.rand(shape, generator=dice)
    here = TorchSession(graph.module, graph.inputs, graph.outputs).run(feeds)
    graph = build_graph(network.to(stand_in), name)
    session = TorchSession(graph.module, graph.inputs, graph.outputs)
    assert session.device == "standin:0"
    there = session.run({key: value.to(stand_in) for key, value in feeds.items()})
    for key, value in here.items():
        torch.testing.assert_close(there[key].cpu(), value, rtol=1e-4, atol=1e-3)
