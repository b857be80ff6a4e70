"""The last phase of a training: who learns in it, what is asked, how it is resumed, what it is good for."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from dpa.kernels.reference import composite
from dpa.models.data.store import PackedStore
from dpa.models.frameworks import make_objective
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks import config as network_config
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.batches import BatchSource
from dpa.models.training.config import RefinementConfig, TrainConfig
from dpa.models.training.loop import Trainer
from dpa.models.training.phases import Plan, only_the_decoder_learns, second_look
from dpa.models.training.record import Progress

CPU = torch.device("cpu")


def settings(framework: str = "nsd", refinement: int = 3, **others: object) -> TrainConfig:
    """Three joint steps, the first of them the localiser's start."""
    return TrainConfig.model_validate(
        {
            "framework": framework,
            "steps": 3,
            "batch": 8,
            "warm_up": 0,
            "localiser_start": 1,
            "log_every": 1,
            "checkpoint_every": 1,
            "validate_every": 2,
            "refinement": {"steps": refinement},
            **others,
        }
    )


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, squares: PackedStore, tiny_config: NetworkConfig) -> PackedStore:
    """`squares`, on which presets are tiny."""
    monkeypatch.setitem(network_config.PRESETS, "small", lambda: tiny_config)
    return squares


def trained(config: TrainConfig, store: PackedStore, run: Path) -> Trainer:
    trainer = Trainer(config, store, run, CPU)
    trainer.fit(False, lambda progress: None)
    return trainer


@pytest.mark.parametrize("framework", ["nsd", "cssl", "drnet", "silhouette"])
def test_only_the_decoder_changes(framework: str, store: PackedStore, tmp_path: Path) -> None:
    joint = trained(settings(framework, 0), store, tmp_path / "joint")
    refined = trained(settings(framework, 3), store, tmp_path / "refined")
    for name, value in joint.network.state_dict().items():
        same = torch.equal(value, refined.network.state_dict()[name])
        assert same != name.startswith("decoder.") or not value.is_floating_point(), name
    assert joint.rivals.keys() == refined.rivals.keys()
    for name, rival in joint.rivals.items():
        for one, other in zip(rival.parameters(), refined.rivals[name].parameters(), strict=True):
            assert torch.equal(one, other)


def test_a_training_shorter_than_the_localisers_start_is_refined_all_the_same(
    store: PackedStore, tmp_path: Path
) -> None:
    trained(settings(steps=1, localiser_start=50), store, tmp_path)
    logged = (tmp_path / "metrics.csv").read_text()
    assert (
        "1,localiser_start," in logged and "2,second_code," in logged and "2,localiser_start," not in logged
    )


@pytest.mark.parametrize("last", [4, 5])
def test_a_refinement_that_was_killed_ends_with_the_same_weights(
    last: int, store: PackedStore, tmp_path: Path
) -> None:
    whole = trained(settings(), store, tmp_path / "whole").network

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        assert progress.steps == 6
        if progress.step == last:
            raise Killed

    with pytest.raises(Killed):
        Trainer(settings(), store, tmp_path / "cut", CPU).fit(False, kill)
    resumed = Trainer(settings(), store, tmp_path / "cut", CPU).fit(True, lambda progress: None)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_every_phase_has_a_warm_up_and_its_own_cosine() -> None:
    config = TrainConfig.model_validate(
        {
            "steps": 1000,
            "warm_up": 10,
            "localiser_start": 100,
            "learning_rate": 0.2,
            "refinement": {"steps": 110, "rate": 0.5},
        }
    )
    plan = Plan(config, make_objective(config, 12), None)
    rates = [plan.at(step).rates(step)[0] for step in range(config.total_steps)]
    assert len(rates) == 1110
    for start, peak in ((0, 0.2), (100, 0.2), (1000, 0.1)):
        np.testing.assert_allclose(rates[start : start + 10], peak * np.arange(1, 11) / 10)
    assert rates[1060] == pytest.approx(0.1 * (0.01 + 0.99 / 2))
    middle = (505 - 10) / 990
    assert rates[505] == pytest.approx(0.2 * (0.01 + 0.99 * (1 + math.cos(math.pi * middle)) / 2))
    assert rates[999] == pytest.approx(0.002, rel=1e-3) and rates[-1] == pytest.approx(0.001, rel=0.03)


def test_a_second_look_compares_what_the_whole_frame_shows(store: PackedStore) -> None:
    torch.manual_seed(2)
    config = network_config.PRESETS["small"]()
    network = DisentangledNetwork(config, "nsd")
    for weight in network.localiser.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    torch.nn.init.normal_(network.encoder.codes.weight, std=100)
    only_the_decoder_learns(network)
    batch = BatchSource(store, CPU).batch(np.arange(8))
    with torch.no_grad():
        outcome = make_objective(settings(), config.pose_dim).forward(network, batch)
        terms = second_look(network, batch, outcome, RefinementConfig(code=3.0, box=7.0))
        frames = composite(outcome.rgb, outcome.mask, outcome.box, batch.plates, batch.plate_index)
        before = network.encode(outcome.target)[1].double().numpy()
        after = network.encode(network.crop(frames, outcome.box))[1].double().numpy()
        moved = (network.localise(frames) - outcome.box).double().numpy()
    scale = np.tile(outcome.box[:, :2].double().numpy(), 2)
    spread = before.var(axis=0, ddof=1).mean()
    assert terms["second_code"].item() == pytest.approx(3 * ((after - before) ** 2).mean() / spread, rel=1e-3)
    assert terms["second_box"].item() == pytest.approx(7 * ((moved / scale) ** 2).mean(), rel=1e-3)
    assert min(term.item() for term in terms.values()) > 1e-6


def test_refined_pictures_are_read_more_like_the_originals(store: PackedStore, tmp_path: Path) -> None:
    rates = {"learning_rate": 5e-3, "validate_every": 1000, "checkpoint_every": 1000, "precision": "fp32"}
    misread = []
    for refinement in (0, 60):
        config = settings("nsd", refinement, steps=120, **rates)
        trainer = trained(config, store, tmp_path / str(refinement))
        network, rows = trainer.network.eval(), trainer.validation_rows
        batch = trainer.source.batch(rows)
        with torch.no_grad():
            box = network.localise(batch.frames)
            h_a, h_p = network.encode(network.crop(batch.frames, box))
            frames = composite(*network.decode(h_a, h_p), box, batch.plates, batch.plate_index)
            again = network.encode(network.crop(frames, box))[1]
        misread.append(((again - h_p).square().mean() / h_p.var(dim=0).mean()).item())
    assert misread[1] < 0.9 * misread[0]
