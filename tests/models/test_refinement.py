"""The last phase of a training: who learns in it, what is asked, how it is resumed, what it is good for."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from dpa.kernels.reference import composite
from dpa.models.data.store import PackedStore
from dpa.models.frameworks import make_objective
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.discriminators import PatchDiscriminator
from dpa.models.training.batches import BatchSource
from dpa.models.training.config import RefinementConfig, TrainConfig
from dpa.models.training.loop import Trainer
from dpa.models.training.phases import (
    Plan,
    Refinement,
    only_the_decoder_learns,
    relative_distance,
    second_look,
)
from dpa.models.training.record import Progress

CPU = torch.device("cpu")


def settings(
    framework: str = "nsd", refinement: int = 3, sharpness: float = 0, **others: object
) -> TrainConfig:
    """Three joint steps, the first of them the localiser's start. sharpness: weight of each such term."""
    terms = dict.fromkeys(("features", "matching", "adversarial"), sharpness)
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
            "refinement": {"steps": refinement, **terms},
            **others,
        }
    )


@pytest.fixture
def small(tiny_config: NetworkConfig) -> Callable[..., TrainConfig]:
    """`settings` of a tiny network."""
    return partial(settings, sizes=tiny_config)


def trained(config: TrainConfig, squares: PackedStore, run: Path) -> Trainer:
    trainer = Trainer(config, squares, run, CPU)
    trainer.fit(False, lambda progress: None)
    return trainer


@pytest.mark.parametrize("framework", ["nsd", "cssl", "drnet", "silhouette"])
def test_only_the_decoder_changes(
    framework: str, squares: PackedStore, small: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    joint = trained(small(framework, 0), squares, tmp_path / "joint")
    refined = trained(small(framework, 3), squares, tmp_path / "refined")
    for name, value in joint.network.state_dict().items():
        same = torch.equal(value, refined.network.state_dict()[name])
        assert same != name.startswith("decoder.") or not value.is_floating_point(), name
    assert joint.rivals.keys() == refined.rivals.keys()
    for name, rival in joint.rivals.items():
        for one, other in zip(rival.parameters(), refined.rivals[name].parameters(), strict=True):
            assert torch.equal(one, other)


def test_a_training_shorter_than_the_localisers_start_is_refined_all_the_same(
    squares: PackedStore, small: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    trained(small(steps=1, localiser_start=50), squares, tmp_path)
    logged = (tmp_path / "metrics.csv").read_text()
    assert (
        "1,localiser_start," in logged and "2,second_code," in logged and "2,localiser_start," not in logged
    )


@pytest.mark.parametrize(("last", "judged"), [(4, False), (5, False), (5, True)])
def test_a_refinement_that_was_killed_ends_with_the_same_weights(
    last: int, judged: bool, squares: PackedStore, small: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    small = partial(small, sharpness=0.1 if judged else 0)
    whole = trained(small(), squares, tmp_path / "whole").network

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        assert progress.steps == 6
        if progress.step == last:
            raise Killed

    with pytest.raises(Killed):
        Trainer(small(), squares, tmp_path / "cut", CPU).fit(False, kill)
    resumed = Trainer(small(), squares, tmp_path / "cut", CPU).fit(True, lambda progress: None)
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


def test_a_second_look_compares_what_the_whole_frame_shows(
    squares: PackedStore, tiny_config: NetworkConfig, small: Callable[..., TrainConfig]
) -> None:
    torch.manual_seed(2)
    config = tiny_config
    network = DisentangledNetwork(config, "nsd")
    for weight in network.localiser.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    torch.nn.init.normal_(network.encoder.codes.weight, std=100)
    only_the_decoder_learns(network)
    batch = BatchSource(squares, CPU).batch(np.arange(8))
    with torch.no_grad():
        outcome = make_objective(small(), config.pose_dim).forward(network, batch)
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


def test_refined_pictures_are_read_more_like_the_originals(
    squares: PackedStore, small: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    rates = {"learning_rate": 5e-3, "validate_every": 1000, "checkpoint_every": 1000, "precision": "fp32"}
    misread = []
    for refinement in (0, 60):
        config = small("nsd", refinement, steps=120, **rates)
        trainer = trained(config, squares, tmp_path / str(refinement))
        network, rows = trainer.network.eval(), trainer.validation_rows
        batch = trainer.source.batch(rows)
        with torch.no_grad():
            box = network.localise(batch.frames)
            h_a, h_p = network.encode(network.crop(batch.frames, box))
            frames = composite(*network.decode(h_a, h_p), box, batch.plates, batch.plate_index)
            again = network.encode(network.crop(frames, box))[1]
        misread.append(((again - h_p).square().mean() / h_p.var(dim=0).mean()).item())
    assert misread[1] < 0.9 * misread[0]


def test_decoder_and_judge_change_and_nobody_else(
    squares: PackedStore, small: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    joint = trained(small("nsd", 0), squares, tmp_path / "joint")
    trainer = Trainer(small(sharpness=0.1), squares, tmp_path / "refined", CPU)
    before = [weight.clone() for weight in trainer.rivals["judge"].parameters()]
    trainer.fit(False, lambda progress: None)
    for name, value in joint.network.state_dict().items():
        same = torch.equal(value, trainer.network.state_dict()[name])
        assert same != name.startswith("decoder.") or not value.is_floating_point(), name
    judge = trainer.rivals["judge"].parameters()
    assert all((one != other).any() for one, other in zip(before, judge, strict=True))
    logged = (tmp_path / "refined/metrics.csv").read_text()
    assert all(f"6,{term}," in logged for term in ("features", "matching", "adversarial_patches"))
    assert "3,matching," not in logged and not joint.rivals


def test_a_judge_learns_to_tell_painted_from_photographed(
    squares: PackedStore, tiny_config: NetworkConfig, small: Callable[..., TrainConfig]
) -> None:
    torch.manual_seed(0)
    config, network = small(sharpness=0.1), DisentangledNetwork(tiny_config, "nsd").eval()
    judge = PatchDiscriminator(8)
    phase = Refinement(config, make_objective(config, tiny_config.pose_dim), judge)
    batch = BatchSource(squares, CPU).batch(np.arange(24))
    with torch.no_grad():
        outcome = phase.objective.forward(network, batch)
    optimiser = torch.optim.Adam(judge.parameters(), 1e-2)
    for _ in range(30):
        loss = phase.rival_after(outcome, batch)
        assert loss is not None
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    plates = network.crop(batch.plates[batch.plate_index], outcome.box)
    original, painted = (judge(crops, plates)[1].mean() for crops in (outcome.target, outcome.reconstruction))
    assert original > painted + 0.5
    assert loss.item() < 0.1


def test_maps_are_compared_relative_to_their_magnitude() -> None:
    """A map that is off by a tenth of itself counts alike at any scale; 0 where nothing is off."""
    wanted = [torch.rand(2, 3, 4, 4) + 1, 1000 * (torch.rand(2, 5, 2, 2) + 1)]
    assert relative_distance(wanted, wanted).item() == 0
    off = [1.1 * wanted[0], wanted[1]]
    assert relative_distance(off, wanted).item() == pytest.approx(0.05, rel=1e-4)
    assert relative_distance([wanted[0], 1.1 * wanted[1]], wanted).item() == pytest.approx(0.05, rel=1e-4)


def test_what_the_encoder_sees_on_the_way_ends_in_its_codes(tiny_config: NetworkConfig) -> None:
    torch.manual_seed(1)
    encoder = DisentangledNetwork(tiny_config, "nsd").encoder.eval()
    crops = torch.rand(3, 3, 16, 16)
    seen: list[torch.Tensor] = []
    for module in (encoder.trunk.stem, *encoder.trunk.stages):
        module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    maps, *codes = encoder.read(crops)
    assert len(maps) == 1 + sum(tiny_config.encoder.depths)
    assert all(torch.equal(one, other) for one, other in zip(maps, seen, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(codes, encoder(crops), strict=True))
